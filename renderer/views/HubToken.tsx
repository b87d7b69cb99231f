import { type FormEvent, useState } from 'react'
import { useAsked } from '../asked.ts'
import { Field } from '../components/forms.tsx'
import { Button, Dialog } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'
import { Linked } from './Outward.tsx'

/** Where the hub shows a model only to whom it knows: its terms, and a token, which goes to this Lexora and comes back to nobody. */
export function HubToken({ terms, onDone, onClose }: { terms: string; onDone: () => void; onClose: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { value: hub } = useAsked(async () => await client.commands.hub())
  const [token, setToken] = useState('')
  const [busy, setBusy] = useState(false)
  const [told, setTold] = useState<string | null>(null)
  const held = hub?.token?.canChange === false ? hub.token.from : null
  const keep = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    try {
      if (held === null && token.trim() !== '') await client.commands.setHubToken({ token: token.trim() })
      onDone()
      onClose()
    } catch (error) {
      setTold(t.said(reasonOf(error)))
    }
    setBusy(false)
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('hub.title')}
      footer={
        <>
          <span className="grow" />
          <Button onClick={onClose}>{t('verb.cancel')}</Button>
          <Button look="first" type="submit" form="hub-token" busy={busy} disabled={hub === null}>
            {t('hub.again')}
          </Button>
        </>
      }
    >
      <form id="hub-token" className="form" onSubmit={(event) => void keep(event)}>
        <p className="small">
          <Linked text={`${t('hub.terms')} ${terms}`} />
        </p>
        <Field
          label={t('hub.token')}
          value={token}
          onChange={(next) => {
            setToken(next)
            setTold(null)
          }}
          secret
          disabled={held !== null}
          placeholder="hf_…"
          hint={held === null ? t('hub.kept', { file: hub?.tokenFile ?? '' }) : t('hub.held', { name: held })}
          bad={told}
        />
      </form>
    </Dialog>
  )
}
