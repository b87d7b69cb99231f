import { type FormEvent, useState } from 'react'
import type { MintedKey } from '../../src/protocol/users.ts'
import { Field, Labelled } from '../components/forms.tsx'
import { Button, Dialog, Segmented, Select } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'
import { badFields, type LimitsForm, limitsOf, PRESETS, type PresetName, presetForm } from '../view-models/people.ts'
import { KeyShown } from './KeyShown.tsx'
import { LimitsFields } from './LimitsFields.tsx'

const EXPIRIES = ['', '30d', '90d', '365d'] as const

/** A user and his first key, whose secret is then shown once. */
export function NewUser({ taken, onDone }: { taken: readonly string[]; onDone: (name: string | null) => void }) {
  const t = useT()
  const { client } = useWorld()
  const [name, setName] = useState('')
  const [preset, setPreset] = useState<PresetName>('team')
  const [form, setForm] = useState<LimitsForm>(presetForm('team'))
  const [expires, setExpires] = useState('')
  const [busy, setBusy] = useState(false)
  const [told, setTold] = useState<string | null>(null)
  const [created, setCreated] = useState(false)
  const [minted, setMinted] = useState<MintedKey | null>(null)
  const isTaken = taken.includes(name.trim())
  const isReady = name.trim() !== '' && !isTaken && badFields(form).length === 0
  const create = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (!isReady) return
    setBusy(true)
    setTold(null)
    try {
      if (!created) {
        await client.commands.createUser({
          name: name.trim(),
          ...limitsOf(form),
          ...(expires === '' ? {} : { expires }),
        })
        setCreated(true)
      }
      setMinted(await client.commands.createKey({ user: name.trim(), ...(expires === '' ? {} : { expires }) }))
    } catch (error) {
      setTold(t.said(reasonOf(error)))
    }
    setBusy(false)
  }
  if (minted !== null) return <KeyShown minted={minted} onClose={() => onDone(minted.key.user)} />
  return (
    <Dialog
      open
      wide
      onClose={() => onDone(created ? name.trim() : null)}
      title={t('users.new')}
      footer={
        <>
          <Button onClick={() => onDone(created ? name.trim() : null)}>{t('verb.cancel')}</Button>
          <Button look="first" type="submit" form="new-user" busy={busy} disabled={!isReady}>
            {t('users.create')}
          </Button>
        </>
      }
    >
      <form id="new-user" className="form" onSubmit={(event) => void create(event)}>
        <Field
          label={t('users.name')}
          value={name}
          onChange={setName}
          placeholder="kim"
          bad={isTaken && !created ? t('users.taken') : told}
        />
        <Labelled label={t('users.preset')}>
          <Segmented
            label={t('users.preset')}
            value={preset}
            options={(Object.keys(PRESETS) as PresetName[]).map((value) => ({ value, label: t(`preset.${value}`) }))}
            onChange={(next) => {
              setPreset(next)
              setForm({ ...presetForm(next), models: form.models, allow_remote: form.allow_remote })
            }}
          />
          <p className="field-note">{t(`preset.${preset}.says`)}</p>
        </Labelled>
        <LimitsFields form={form} onChange={setForm} />
        <Labelled label={t('users.expires')}>
          <Select
            label={t('users.expires')}
            value={expires}
            options={EXPIRIES.map((value) => ({ value, label: t(`expiry.${value === '' ? 'never' : value}`) }))}
            onChange={setExpires}
          />
        </Labelled>
      </form>
    </Dialog>
  )
}
