import { quitVerb } from '../src/protocol/quit-verb.ts'
import { useT } from './i18n/index.ts'
import { useSnapshot, useWorld } from './stores.ts'

/** The end of the desktop app, in the tray's words; null in a browser, which cannot end it. */
export function useQuit(): { label: string; quit: () => void } | null {
  const t = useT()
  const { desktop, platform } = useWorld().client
  const { server, engines } = useSnapshot()
  if (desktop === null) return null
  const attached = platform?.attached === true
  const verb = quitVerb({ attached, quitting: !attached && server.state === 'draining', engines })
  return { label: t(`quit.${verb}`), quit: () => void desktop.do('quit') }
}
