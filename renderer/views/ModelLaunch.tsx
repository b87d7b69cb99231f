import { useState } from 'react'
import type { ReloadReport } from '../../src/protocol/config-view.ts'
import { canRestart, type EngineView } from '../../src/protocol/engine.ts'
import { useActions, useCopy } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Banner, Button, Facts, Skeleton } from '../components/kit.tsx'
import { NONE } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useWorld } from '../stores.ts'
import { SettingRow } from './SettingRow.tsx'

/** How an engine is started: its settings, and what Lexora added to them. */
export function ModelLaunch({ engine }: { engine: EngineView }) {
  const t = useT()
  const { client } = useWorld()
  const actions = useActions()
  const copy = useCopy()
  const [pending, setPending] = useState<ReloadReport | null>(null)
  const config = useAsked(async () => await client.commands.getConfig(), { everyMs: 5000, key: engine.name })
  const entries = config.value?.entries.filter(({ path }) => path.startsWith(`engines.${engine.name}.`)) ?? null
  const args = entries?.find(({ path }) => path.endsWith('.args'))?.value ?? {}
  const options = { ...(args as Record<string, unknown>), ...engine.derived }
  const shown = Object.entries(options)
    .map(([name, value]) => (value === true || value === 'true' ? `--${name}` : `--${name} ${String(value)}`))
    .join(' \\\n  ')
  const restarts =
    pending?.changed.some(({ effect }) => effect === 'engine-restart') === true && canRestart(engine.state)
  return (
    <>
      {restarts && (
        <Banner
          look="info"
          actions={
            <Button small look="first" onClick={() => void actions.restart(engine.name).then(() => setPending(null))}>
              {t('verb.restart')}
            </Button>
          }
        >
          {t('launch.restarts', { engine: engine.name })}
        </Banner>
      )}
      {engine.warnings.map((warning) => (
        <Banner key={warning} look="warn">
          {warning}
        </Banner>
      ))}
      <section className="sect">
        <h3>
          <span>{t('launch.command')}</span>
          {shown !== '' && (
            <Button small look="quiet" onClick={() => copy(shown)}>
              {t('verb.copy')}
            </Button>
          )}
        </h3>
        <Facts
          facts={[
            [t('fact.launch'), engine.launch ?? NONE],
            [t('fact.version'), engine.version ?? NONE],
            [t('fact.port'), engine.port ?? NONE],
            [t('fact.pid'), engine.pid ?? NONE],
          ]}
        />
        {shown !== '' && <pre className="code small gap-top">{shown}</pre>}
        {Object.keys(engine.derived).length > 0 && (
          <p className="field-note">{t('launch.derived', { names: Object.keys(engine.derived).join(', ') })}</p>
        )}
      </section>
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
          {entries.map((entry) => (
            <SettingRow
              key={entry.path}
              entry={entry}
              onChanged={(report) => {
                setPending(report)
                void config.again()
              }}
            />
          ))}
        </div>
      )}
    </>
  )
}
