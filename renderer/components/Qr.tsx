import { encode } from 'uqr'
import { pathOfModules } from '../view-models/qr.ts'

/** A text for the camera of a phone. Dark on white in every theme, since cameras want it so. */
export function Qr({ text, label }: { text: string; label: string }) {
  const { data, size } = encode(text, { ecc: 'M', border: 4 })
  return (
    <svg className="qr" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`}>
      <path fill="#fff" d={`M0 0h${size}v${size}H0z`} />
      <path fill="#000" d={pathOfModules(data)} />
    </svg>
  )
}
