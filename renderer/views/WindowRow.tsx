import type { ReactNode } from 'react'
import { useT } from '../i18n/index.ts'

/** A setting of this window or of the desktop app, of which nothing stands in the file; otherwise `source` says where. */
export function WindowRow({
  label,
  effect,
  source,
  children,
}: {
  label: string
  effect: string
  source?: string | undefined
  children: ReactNode
}) {
  const t = useT()
  return (
    <div className="set">
      <div className="set-t">
        <div className="set-label">{label}</div>
        <p className="small dim">{effect}</p>
      </div>
      <div className="set-c">{children}</div>
      <div className="set-s micro dim">{source ?? t('set.source.window')}</div>
    </div>
  )
}
