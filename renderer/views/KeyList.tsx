import { Dialog } from '../components/kit.tsx'
import { type MessageKey, useT } from '../i18n/index.ts'
import { SCREENS } from '../screens.tsx'

const KEYS: readonly [keys: string, what: MessageKey][] = [
  [`Ctrl 1–${SCREENS.length}`, 'keys.screens'],
  ['Ctrl ,', 'keys.settings'],
  ['Ctrl K', 'keys.palette'],
  ['Ctrl T', 'keys.tryIt'],
  ['Ctrl F', 'keys.filter'],
  ['F6', 'keys.regions'],
  ['F8', 'keys.toasts'],
  ['?', 'keys.help'],
  ['Esc', 'keys.esc'],
  ['↑ ↓', 'keys.rows'],
  ['Enter', 'keys.openRow'],
  ['[ ]', 'keys.neighbours'],
  ['← →', 'keys.crosshair'],
  ['T', 'keys.table'],
  ['Space', 'keys.mark'],
  ['Ctrl C', 'keys.copyRows'],
  ['Space', 'keys.follow'],
  ['/', 'keys.search'],
  ['n N', 'keys.nextMatch'],
]

export function KeyList({ onClose }: { onClose: () => void }) {
  const t = useT()
  return (
    <Dialog open onClose={onClose} title={t('keys.title')}>
      <dl className="keys">
        {KEYS.map(([keys, what]) => (
          <div key={what} className="kv-row">
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key} className="kbd">
                  {key}
                </kbd>
              ))}
            </dt>
            <dd>{t(what)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}
