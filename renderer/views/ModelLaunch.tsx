import { useId, useState } from 'react'
import type { ConfigEntry } from '../../src/protocol/config-view.ts'
import { canRestart, type EngineView, shellText } from '../../src/protocol/engine.ts'
import { useActions, useCopy } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Field, Labelled } from '../components/forms.tsx'
import { Banner, Button, Facts, Select, Skeleton, Switch } from '../components/kit.tsx'
import { NONE } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import {
  flagText,
  type LaunchChanges,
  type LaunchDraft,
  launchChanges,
  launchFlags,
  maskedChanges,
  NO_DRAFT,
  otherLines,
  variableLines,
} from '../view-models/launch.ts'
import { wordsOf } from '../view-models/settings.ts'
import { SettingRow } from './SettingRow.tsx'

/** How an engine is started: its options, the command that they make, what that changes, and its other settings. */
export function ModelLaunch({ engine }: { engine: EngineView }) {
  const t = useT()
  const { client } = useWorld()
  const [draft, setDraft] = useState(NO_DRAFT)
  const config = useAsked(async () => await client.commands.getConfig(), { everyMs: 5000, key: engine.name })
  const entries = config.value?.entries.filter(({ path }) => path.startsWith(`engines.${engine.name}.`)) ?? null
  const open = (name: string) => entries?.find(({ path, locked }) => path.endsWith(`.${name}`) && !locked)
  const [options, variables] = [open('args'), open('env')]
  const made = launchChanges({ args: mapOf(options), env: mapOf(variables) }, launchFlags(engine), draft)
  return (
    <>
      {engine.warnings.map((warning) => (
        <Banner key={warning} look="warn">
          {t.said(warning)}
        </Banner>
      ))}
      {options !== undefined && (
        <Options
          engine={engine}
          entry={options}
          variables={variables}
          draft={draft}
          made={made}
          onDraft={setDraft}
          onSaved={() => void config.again().then(() => setDraft(NO_DRAFT))}
        />
      )}
      <Command engine={engine} changes={made.args} />
      {entries === null ? (
        config.failed === null ? (
          <Skeleton rows={6} widths={[30, 40]} />
        ) : (
          <p className="sect small bad">{config.failed}</p>
        )
      ) : entries.length === 0 ? (
        <p className="sect small dim">{t('launch.builtIn')}</p>
      ) : (
        <div className="set-narrow">
          {entries
            .filter((entry) => options === undefined || (entry !== options && entry !== variables))
            .map((entry) => (
              <SettingRow key={entry.path} entry={entry} onChanged={() => void config.again()} />
            ))}
        </div>
      )}
    </>
  )
}

/** The options that most people change, and the others line by line. */
function Options({
  engine,
  entry,
  variables,
  draft,
  made,
  onDraft,
  onSaved,
}: {
  engine: EngineView
  entry: ConfigEntry
  /** Where they may be changed. */
  variables: ConfigEntry | undefined
  draft: LaunchDraft
  made: LaunchChanges
  onDraft: (draft: LaunchDraft) => void
  onSaved: () => void
}) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const { name, state, derived } = engine
  const { bad } = made
  const args = mapOf(entry)
  const flags = launchFlags(engine)
  const { label } = wordsOf(entry, t)
  const lives = canRestart(state)
  const words = wordsOf(variables ?? entry, t)
  const says = bad === null ? null : t(bad.bad, { text: bad.at })
  const changes = [[entry, made.args] as const, [variables, made.env] as const].flatMap(([of, list]) =>
    Object.entries(list).map(([option, value]) => ({ path: `${of?.path}.${option}`, value })),
  )
  const set = (flag: string, text: string): void => onDraft({ ...draft, fields: { ...draft.fields, [flag]: text } })
  const save = async (later: boolean): Promise<void> => {
    const done = lives ? t(later ? 'launch.savedOnly' : 'launch.restarts', { engine: name }) : t('set.saved', { name })
    if (await told(client.commands.setConfig({ changes, later }), done)) onSaved()
  }
  return (
    <section className="sect">
      <h3>{label}</h3>
      <div className="form-grid">
        {flags.map(({ name: flag, label: key, is, options = [] }) => {
          const value = draft.fields[flag] ?? flagText(args, flag)
          const usual = derived[flag] ?? t('set.source.default')
          if (is === 'switch')
            return (
              <Labelled key={flag} label={t(key)}>
                <Switch label={t(key)} checked={value === 'true'} onChange={(on) => set(flag, on ? 'true' : '')} />
              </Labelled>
            )
          if (is === 'choice')
            return (
              <Labelled key={flag} label={t(key)}>
                <Select
                  grow
                  label={t(key)}
                  value={value}
                  options={[...new Set(['', ...options, value])].map((one) => ({ value: one, label: one || usual }))}
                  onChange={(one) => set(flag, one)}
                />
              </Labelled>
            )
          return (
            <Field
              key={flag}
              label={t(key)}
              value={value}
              placeholder={usual}
              numeric={is === 'number'}
              bad={bad?.name === flag ? says : null}
              onChange={(text) => set(flag, text)}
            />
          )
        })}
        <Lines
          label={t('launch.others')}
          value={draft.lines ?? otherLines(args, flags)}
          bad={bad?.name === 'lines' ? says : null}
          onChange={(lines) => onDraft({ ...draft, lines })}
        />
        {variables !== undefined && (
          <Lines
            label={`${words.label}: ${words.effect}`}
            value={draft.env ?? variableLines(mapOf(variables))}
            bad={bad?.name === 'env' ? says : null}
            onChange={(env) => onDraft({ ...draft, env })}
          />
        )}
      </div>
      <div className="row gap-top">
        <Button look="first" disabled={changes.length === 0} onClick={() => void save(false)}>
          {t(lives ? 'launch.apply' : 'verb.save')}
        </Button>
        {lives && (
          <Button disabled={changes.length === 0} onClick={() => void save(true)}>
            {t('launch.saveOnly')}
          </Button>
        )}
        <Button look="quiet" disabled={changes.length === 0 && bad === null} onClick={() => onDraft(NO_DRAFT)}>
          {t('raw.discard')}
        </Button>
      </div>
    </section>
  )
}

function Lines({
  label,
  value,
  bad,
  onChange,
}: {
  label: string
  value: string
  bad: string | null
  onChange: (text: string) => void
}) {
  const id = useId()
  return (
    <div className="form-row form-wide">
      <label htmlFor={id}>{label}</label>
      <div className="row">
        <textarea
          id={id}
          className="field area mono small grow"
          rows={Math.max(2, value.split('\n').length)}
          spellCheck={false}
          value={value}
          placeholder="name: value"
          aria-invalid={bad === null ? undefined : true}
          onChange={(event) => onChange(event.target.value)}
        />
      </div>
      {bad !== null && (
        <p className="field-note bad" role="alert">
          {bad}
        </p>
      )}
    </div>
  )
}

function mapOf(entry: ConfigEntry | undefined): Readonly<Record<string, unknown>> {
  return (entry?.value ?? {}) as Readonly<Record<string, unknown>>
}

/** The command of the next start, with what is typed above, against the one that runs. */
function Command({ engine, changes }: { engine: EngineView; changes: LaunchChanges['args'] }) {
  const t = useT()
  const { client } = useWorld()
  const actions = useActions()
  const copy = useCopy()
  const { name, state, derived } = engine
  const isSame = Object.keys(changes).length === 0
  const more = isSame ? {} : { args: JSON.stringify(maskedChanges(changes)) }
  const { value, failed } = useAsked(async () => await client.commands.engineCommand({ engine: name, ...more }), {
    everyMs: 5000,
    key: `${name} ${engine.pid} ${more.args ?? ''}`,
  })
  const [last, setLast] = useState(value)
  if (value !== null && value !== last) setLast(value)
  const told = value ?? last
  // What it has failed of stands above.
  const known = 'failure' in state ? state.failure.cause : null
  const problems = (told?.problems ?? []).filter((problem) => known === null || !problem.startsWith(known))
  const text = shellText(told?.next ?? told?.running ?? [])
  return (
    <>
      {problems.map((problem) => (
        <Banner key={problem} look="bad">
          {t.said(problem)}
        </Banner>
      ))}
      {told?.differs && (
        <section className="sect" aria-label={t('launch.diff')}>
          <h3>
            <span>{t('launch.diff')}</span>
            {isSame && canRestart(state) && (
              <Button small onClick={() => void actions.restart(name)}>
                {t('verb.restart')}
              </Button>
            )}
          </h3>
          {told.diff.length === 0 ? (
            <p className="small dim">{t('launch.hidden')}</p>
          ) : (
            <pre className="code small">
              {told.diff.map((line) => (
                <span key={line} className={line.startsWith('+') ? 'ok' : 'bad'}>
                  {`${line}\n`}
                </span>
              ))}
            </pre>
          )}
        </section>
      )}
      <section className="sect">
        <h3>
          <span>{t('launch.command')}</span>
          {text !== '' && (
            <Button small look="quiet" onClick={() => copy(text)}>
              {t('verb.copy')}
            </Button>
          )}
        </h3>
        <Facts
          facts={[
            [t('fact.launch'), engine.launch === null ? NONE : t.said(engine.launch)],
            [t('fact.version'), engine.version ?? NONE],
            [t('fact.port'), engine.port ?? NONE],
            [t('fact.pid'), engine.pid ?? NONE],
          ]}
        />
        {failed !== null && <p className="small bad">{failed}</p>}
        {text !== '' && <pre className="code small gap-top">{text}</pre>}
        {Object.keys(derived).length > 0 && (
          <p className="field-note">{t('launch.derived', { names: Object.keys(derived).join(', ') })}</p>
        )}
      </section>
    </>
  )
}
