import { type FormEvent, useState } from 'react'
import type { FitReport } from '../../src/protocol/models.ts'
import { newEngine } from '../../src/protocol/new-engine.ts'
import { Field } from '../components/forms.tsx'
import { Button, Dialog } from '../components/kit.tsx'
import { gib } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { wantedModel } from '../view-models/catalogue.ts'
import { reasonOf } from '../view-models/log.ts'

/** A model by its name at the hub, by a pasted link, or by its folder. */
export function AddModel({ onClose }: { onClose: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { engines } = useSnapshot()
  const [text, setText] = useState('')
  const [busy, setBusy] = useState<'fit' | 'add' | null>(null)
  const [told, setTold] = useState<string | null>(null)
  const [fit, setFit] = useState<FitReport | null>(null)
  const wanted = wantedModel(text)
  const work = async (what: 'fit' | 'add', act: () => Promise<void>): Promise<void> => {
    setBusy(what)
    setTold(null)
    await act().catch((error: unknown) => setTold(t.said(reasonOf(error))))
    setBusy(null)
  }
  const add = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (wanted === null) return
    await work('add', async () => {
      if (wanted.is === 'hub') {
        const { repo, revision } = wanted
        await client.commands.pullModel({ repo, ...(revision === null ? {} : { revision }) })
      } else {
        const { path } = wanted
        const format = path.toLowerCase().endsWith('.gguf') ? 'gguf' : 'safetensors'
        const made = newEngine(
          { id: path, path, source: 'folder', format },
          engines.map(({ name }) => name),
        )
        await client.commands.setConfig({ changes: [{ path: made.path, value: made.value }] })
      }
      onClose()
    })
  }
  const ask = async (): Promise<void> => {
    if (wanted === null) return
    const model = wanted.is === 'hub' ? wanted.repo : wanted.path
    await work('fit', async () => setFit(await client.commands.fitModel({ model })))
  }
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={t('add.title')}
      footer={
        <>
          <Button onClick={() => void ask()} busy={busy === 'fit'} disabled={wanted === null}>
            {t('add.fit')}
          </Button>
          <span className="grow" />
          <Button onClick={onClose}>{t('verb.cancel')}</Button>
          <Button look="first" type="submit" form="add-model" busy={busy === 'add'} disabled={wanted === null}>
            {t(wanted?.is === 'folder' ? 'add.folder' : 'add.fetch')}
          </Button>
        </>
      }
    >
      <form id="add-model" className="form" onSubmit={(event) => void add(event)}>
        <Field
          label={t('add.what')}
          value={text}
          onChange={(next) => {
            setText(next)
            setFit(null)
            setTold(null)
          }}
          placeholder="Qwen/Qwen3-8B"
          hint={t('add.hint')}
          bad={told ?? (text.trim() !== '' && wanted === null ? t('add.bad') : null)}
        />
        {fit !== null && (
          <p className={`small ${fit.fits ? 'mid' : 'bad'}`} role="status">
            {t(fit.fits ? 'add.fits' : 'add.doesNotFit', {
              needed: gib(fit.neededBytes),
              free: gib(fit.gpu?.freeBytes),
              context: fit.context,
            })}
          </p>
        )}
      </form>
    </Dialog>
  )
}
