import { type KeyboardEvent, type ReactNode, useEffect, useState } from 'react'
import type { ConfigEntry, ReloadReport } from '../../src/protocol/config-view.ts'
import { canRestart, type EngineView } from '../../src/protocol/engine.ts'
import { useToasts } from '../actions.ts'
import { Icon } from '../components/Icon.tsx'
import { Button, Select, Switch } from '../components/kit.tsx'
import { type Translate, useT } from '../i18n/index.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { reasonOf } from '../view-models/log.ts'
import {
  canReset,
  controlOf,
  fieldText,
  fixedText,
  ownerOf,
  refusalOf,
  typedValue,
  wordsOf,
} from '../view-models/settings.ts'
import { HiddenValues } from './HiddenValues.tsx'

/** One setting: what it is, what it does, when a change acts, and the way to change it. */
export function SettingRow({
  entry,
  onChanged,
  remark,
}: {
  entry: ConfigEntry
  onChanged: (report: ReloadReport) => void
  /** What is said below the field of what is typed there. */
  remark?: ((typed: string) => ReactNode) | undefined
}) {
  const t = useT()
  const { client } = useWorld()
  const toasts = useToasts()
  const control = controlOf(entry)
  const held = fieldText(entry, control)
  const [typed, setTyped] = useState(held)
  const [bad, setBad] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const [notes, setNotes] = useState<readonly string[]>([])
  const { engines } = useSnapshot()
  useEffect(() => setTyped(held), [held])
  const { label, effect } = wordsOf(entry, t)
  const id = `set-${entry.path}`
  const isDirty = typed !== held
  const isFixed = entry.locked || entry.unbuilt || control.is === 'fixed'
  const put = async (path: string, value: unknown): Promise<boolean> => {
    setBusy(true)
    setBad(null)
    try {
      const report = await client.commands.setConfig({ changes: [{ path, value }] })
      toasts.say(savedWords(report, path, label, engines, t))
      setNotes(report.notes)
      onChanged(report)
      setBusy(false)
      return true
    } catch (error) {
      setBad(t.said(refusalOf(reasonOf(error), entry.path)))
    }
    setBusy(false)
    return false
  }
  const save = async (value: unknown): Promise<boolean> => await put(entry.path, value)
  const take = (text: string): void => {
    const read = typedValue(text, control, entry)
    if (read.ok) void save(read.value)
    else setBad(t(read.bad, { text: read.at }))
  }
  const onKey = (event: KeyboardEvent): void => {
    const isArea = event.target instanceof HTMLTextAreaElement
    if (event.key === 'Enter' && (!isArea || event.ctrlKey) && isDirty) {
      event.preventDefault()
      take(typed)
    } else if (event.key === 'Escape' && isDirty) {
      event.stopPropagation()
      setTyped(held)
      setBad(null)
    }
  }
  const usual = fieldText({ ...entry, value: entry.default }, control) || t('set.none')
  const place = entry.secret && entry.value !== null ? '•••••' : usual
  return (
    <div className="set" data-path={entry.path}>
      <div className="set-t">
        <label htmlFor={id} className="set-label">
          {label}
        </label>
        <p className="small dim">{effect}</p>
        {bad !== null ? (
          <p className="small bad" role="alert" id={`${id}-bad`}>
            {t('set.kept', { reason: bad })}
          </p>
        ) : entry.unbuilt ? (
          <p className="small warn">{t('set.unbuilt')}</p>
        ) : entry.locked ? (
          <p className="small dim">
            {t('set.locked')} <span className="mono">{entry.detail}</span>
          </p>
        ) : (
          <p className={`small ${entry.applies === 'now' ? 'dim' : 'warn'}`}>{t(`set.applies.${entry.applies}`)}</p>
        )}
      </div>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: Enter and Escape of the field within */}
      <div className="set-c" onKeyDown={onKey}>
        {isFixed ? (
          <div className="field is-off" title={held}>
            <Icon name="lock" />
            <span className="clip" id={id}>
              {fixedText(entry, control, t)}
            </span>
          </div>
        ) : control.is === 'switch' ? (
          <Switch label={label} checked={entry.value === true} onChange={(on) => void save(on)} />
        ) : control.is === 'names' ? (
          <HiddenValues
            label={label}
            names={Object.keys((entry.value ?? {}) as object)}
            busy={busy}
            onSave={async (name, value) => await put(`${entry.path}.${name}`, value)}
          />
        ) : control.is === 'choice' ? (
          <Select
            grow
            label={label}
            value={held}
            options={control.options.map((value) => ({ value, label: value }))}
            onChange={(value) => take(value)}
          />
        ) : control.is === 'lines' ? (
          <textarea
            id={id}
            className={`field area mono small grow${bad === null ? '' : ' is-bad'}`}
            rows={Math.max(3, typed.split('\n').length)}
            spellCheck={false}
            value={typed}
            placeholder={t('set.none')}
            onChange={(event) => setTyped(event.target.value)}
          />
        ) : (
          <div className={`field${bad === null ? '' : ' is-bad'}${control.is === 'number' ? ' field-number' : ''}`}>
            <input
              id={id}
              type={control.is === 'text' && control.secret ? 'password' : 'text'}
              inputMode={control.is === 'number' ? 'decimal' : 'text'}
              autoComplete="off"
              spellCheck={false}
              value={typed}
              placeholder={place}
              aria-invalid={bad === null ? undefined : true}
              aria-describedby={bad === null ? undefined : `${id}-bad`}
              onChange={(event) => setTyped(event.target.value)}
            />
          </div>
        )}
        {isDirty && (
          <Button small look="first" busy={busy} onClick={() => take(typed)}>
            {t('verb.save')}
          </Button>
        )}
        {remark?.(typed)}
        {notes.map((note) => (
          <p key={note} className="small warn" role="status">
            {t.said(note)}
          </p>
        ))}
      </div>
      <div className="set-s micro dim">
        <span title={entry.detail}>{t(`set.source.${entry.source}`)}</span>
        {canReset(entry, control) && (
          <button
            type="button"
            className="link"
            onClick={() => void save(null)}
            title={t('set.resetTo', { value: place })}
          >
            {t('set.reset')}
          </button>
        )}
      </div>
    </div>
  )
}

/** What a saved setting does now: an engine that runs goes over to it by itself. */
function savedWords(
  { changed, pendingRestart }: ReloadReport,
  path: string,
  name: string,
  engines: readonly EngineView[],
  t: Translate,
): string {
  if (pendingRestart.includes(path)) return t('set.savedLater', { name })
  const engine = engines.find((one) => one.name === ownerOf(path))
  const restarts = changed.some((change) => change.path === path && change.effect === 'engine-restart')
  if (restarts && engine !== undefined && canRestart(engine.state)) return t('launch.restarts', { engine: engine.name })
  return t('set.saved', { name })
}
