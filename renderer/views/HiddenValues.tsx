import { type KeyboardEvent, useState } from 'react'
import { Button, IconButton } from '../components/kit.tsx'
import { useT } from '../i18n/index.ts'
import { isSecretName } from '../view-models/settings.ts'

/** Names whose values are kept to the file: each can be given another one, or taken away. */
export function HiddenValues({
  label,
  names,
  busy,
  onSave,
}: {
  label: string
  names: readonly string[]
  busy: boolean
  /** Null takes it away. Answers whether it was saved. */
  onSave: (name: string, value: string | null) => Promise<boolean>
}) {
  const t = useT()
  const [name, setName] = useState('')
  return (
    <ul className="hidden-values" aria-label={label}>
      {names.map((one) => (
        <li key={one}>
          <span className="mono small clip" title={one}>
            {one}
          </span>
          <Value name={one} placeholder="•••••" verb={t('verb.save')} busy={busy} onSave={onSave} />
          <IconButton
            icon="close"
            label={t('set.names.remove', { name: one })}
            onClick={() => void onSave(one, null)}
          />
        </li>
      ))}
      <li>
        <div className="field">
          <input
            aria-label={`${label}: ${t('set.names.name')}`}
            placeholder={t('set.names.name')}
            autoComplete="off"
            spellCheck={false}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </div>
        <Value
          name={name.trim()}
          placeholder={t('set.names.value')}
          verb={t('set.names.add')}
          busy={busy}
          onSave={async (...given) => {
            const isSaved = await onSave(...given)
            if (isSaved) setName('')
            return isSaved
          }}
        />
      </li>
    </ul>
  )
}

function Value({
  name,
  placeholder,
  verb,
  busy,
  onSave,
}: {
  name: string
  placeholder: string
  verb: string
  busy: boolean
  onSave: (name: string, value: string) => Promise<boolean>
}) {
  const t = useT()
  const [value, setValue] = useState('')
  const save = async (): Promise<void> => {
    if (await onSave(name, value)) setValue('')
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || name === '' || value === '') return
    event.preventDefault()
    void save()
  }
  return (
    <>
      <div className="field">
        <input
          type={isSecretName(name) ? 'password' : 'text'}
          aria-label={`${t('set.names.value')} ${name}`.trim()}
          placeholder={placeholder}
          autoComplete="off"
          spellCheck={false}
          value={value}
          onChange={(event) => setValue(event.target.value)}
          onKeyDown={onKeyDown}
        />
      </div>
      {name !== '' && value !== '' && (
        <Button small look="first" busy={busy} onClick={() => void save()}>
          {verb}
        </Button>
      )}
    </>
  )
}
