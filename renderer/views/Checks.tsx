import type { DoctorCheck } from '../../src/protocol/doctor.ts'
import { StateMark } from '../components/Icon.tsx'
import { type Translate, useT } from '../i18n/index.ts'

const SHAPES = { ok: 'ready', warn: 'degraded', fail: 'failed' } as const

/** What the doctor found, a row each. */
export function Checks({ checks }: { checks: readonly DoctorCheck[] }) {
  const t = useT()
  return (
    <ul className="checks small">
      {checks.map(({ level, about, says, fix }) => (
        <li key={about + says}>
          <StateMark shape={SHAPES[level]} />
          <span className="dim">{t(`diagnostics.${level}`)}</span>
          <span>
            <b className="strong">{t.said(about)}</b> {t.said(says)}
            {fix !== null && <span className="dim"> {t.said(fix)}</span>}
          </span>
        </li>
      ))}
    </ul>
  )
}

/** The same to paste elsewhere. */
export function checksText(checks: readonly DoctorCheck[], { said }: Translate): string {
  return checks
    .map(
      ({ level, about, says, fix }) =>
        `${level}  ${said(about)}: ${said(says)}${fix === null ? '' : ` (${said(fix)})`}`,
    )
    .join('\n')
}
