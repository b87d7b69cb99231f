import { useActions } from '../actions.ts'
import { Button } from '../components/kit.tsx'
import { clock } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot, useWorld } from '../stores.ts'

/** On every screen while prompts and answers are kept, with the way to end it. */
export function CaptureBanner() {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const { capture } = useSnapshot().server
  if (capture === null) return null
  const time = clock(capture.endsAt)
  return (
    <div className="banner banner-bad" role="status">
      <span className="rec" aria-hidden="true" />
      <span className="grow">
        {capture.user === null ? t('capture.onAll', { time }) : t('capture.on', { user: capture.user, time })}
      </span>
      <Button small onClick={() => void told(client.commands.stopCapture(), t('capture.forgotten'))}>
        {t('capture.stop')}
      </Button>
    </div>
  )
}
