import { Fragment, useState } from 'react'
import type { ConfigView } from '../../src/protocol/config-view.ts'
import { useActions } from '../actions.ts'
import { useAsked } from '../asked.ts'
import { Confirm, Field } from '../components/forms.tsx'
import { Banner, Button, Empty, Segmented, Select, Skeleton, Switch } from '../components/kit.tsx'
import { stepFirstRun } from '../first-run-store.ts'
import { LANGUAGES, type Language, useT } from '../i18n/index.ts'
import { type Density, prefer, preferences, type Theme } from '../preferences.ts'
import { goTo, type ScreenProps } from '../route.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import {
  autostartOf,
  type Part,
  resettable,
  SECTION_NAMES,
  type Section,
  settingGroups,
  shownParts,
} from '../view-models/settings.ts'
import { DataPlaces } from './DataPlaces.tsx'
import { DesktopSettings, OpenFiles } from './DesktopSettings.tsx'
import { LanDoor } from './LanDoor.tsx'
import { Outbound } from './Outbound.tsx'
import { PortRemark } from './PortRemark.tsx'
import { RawConfig } from './RawConfig.tsx'
import { SettingRow } from './SettingRow.tsx'
import { TlsDoor } from './TlsDoor.tsx'
import { WaitingOrigins } from './WaitingOrigins.tsx'
import { WindowRow } from './WindowRow.tsx'

/** Every setting, where it comes from and when a change acts. It writes the same file that people edit. */
export function Settings({ path }: ScreenProps) {
  const t = useT()
  const { client } = useWorld()
  const [search, setSearch] = useState('')
  const config = useAsked(async () => await client.commands.getConfig(), { everyMs: 5000 })
  // Only the desktop app replaces itself.
  const sections = SECTION_NAMES.filter((name) => name !== 'updates' || client.desktop !== null)
  const section = sections.find((name) => name === path) ?? 'general'
  const isSearch = search.trim() !== ''
  const parts = shownParts(section, search, t, client.desktop !== null)
  const changed = (): void => void config.again()
  return (
    <div className="setgrid fill">
      <nav aria-label={t('set.sections')} className="set-nav">
        {sections.map((name) => (
          <a
            key={name}
            href={`#/settings/${name}`}
            aria-current={name === section && !isSearch ? 'true' : undefined}
            onClick={() => setSearch('')}
          >
            {t(`set.section.${name}`)}
          </a>
        ))}
      </nav>
      <div className="setbody">
        <div className="bar bar-tall set-head">
          <h1>{isSearch ? t('set.found') : t(`set.section.${section}`)}</h1>
          <div className="search-box push">
            <Field label={t('set.find')} value={search} onChange={setSearch} filter hideLabel />
          </div>
        </div>
        {config.value !== null && config.value.pendingRestart.length > 0 && (
          <Pending waits={config.value.pendingRestart} onChanged={changed} />
        )}
        <General parts={parts} isSearch={isSearch} config={config.value} onChanged={changed} />
        {parts.has('lan') && config.value !== null && <LanDoor config={config.value} onChanged={changed} />}
        {parts.has('tls') && config.value !== null && <TlsDoor config={config.value} onChanged={changed} />}
        {parts.has('folders') && config.value !== null && <Folders config={config.value} />}
        {parts.has('updates') && <DesktopSettings only={['updates']} />}
        {section === 'advanced' && !isSearch && <OpenFiles />}
        {parts.has('raw') && !isSearch && <RawConfig onChanged={changed} />}
        {parts.has('raw') && isSearch && (
          <p className="set-note">
            <button
              type="button"
              className="link"
              onClick={() => {
                setSearch('')
                goTo('settings', 'advanced')
              }}
            >
              {t('raw.text')}
            </button>
          </p>
        )}
        {config.failed !== null && config.value === null ? (
          <Empty
            bad
            title={t('set.failed')}
            actions={<Button onClick={() => void config.again()}>{t('verb.tryAgain')}</Button>}
          >
            {config.failed}
          </Empty>
        ) : config.value === null ? (
          section !== 'general' && section !== 'updates' && <Skeleton rows={6} height={72} widths={[30, 40]} />
        ) : (
          <>
            <Rows
              config={config.value}
              section={section}
              search={search}
              isAll={parts.size === 0}
              onChanged={changed}
            />
            {!isSearch && <Reset config={config.value} section={section} onChanged={() => void config.again()} />}
          </>
        )}
        {parts.has('capture') && <Captures />}
        {parts.has('outbound') && <Outbound onChanged={changed} />}
      </div>
    </div>
  )
}

function Rows({
  config,
  section,
  search,
  isAll,
  onChanged,
}: {
  config: ConfigView
  section: Section
  search: string
  /** Nothing else was found. */
  isAll: boolean
  onChanged: () => void
}) {
  const t = useT()
  const groups = settingGroups(config.entries, section, search, t)
  if (groups.length === 0 && search.trim() !== '' && isAll) return <Empty title={t('set.noneFits')} />
  return groups.map(({ owner, entries }) => (
    <section key={owner ?? ''} aria-label={owner ?? t(`set.section.${section}`)}>
      {owner !== null && <h2 className="set-owner name">{owner}</h2>}
      {entries.map((entry) => (
        <Fragment key={entry.path}>
          <SettingRow
            entry={entry}
            onChanged={onChanged}
            remark={entry.path === 'server.port' ? (typed) => <PortRemark typed={typed} /> : undefined}
          />
          {entry.path === 'server.cors_origins' && <WaitingOrigins config={config} onChanged={onChanged} />}
        </Fragment>
      ))}
    </section>
  ))
}

/** Everything of a section back to its defaults; what the file says of other things stays. */
function Reset({ config, section, onChanged }: { config: ConfigView; section: Section; onChanged: () => void }) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const [asking, setAsking] = useState(false)
  const paths = resettable(config.entries, section)
  if (paths.length === 0) return null
  const reset = (): void => {
    setAsking(false)
    const changes = paths.map((path) => ({ path, value: null }))
    void told(client.commands.setConfig({ changes }), t('set.resetDone')).then(onChanged)
  }
  return (
    <div className="set-box">
      <Button small onClick={() => setAsking(true)}>
        {t('set.resetSection')}
      </Button>
      {asking && (
        <Confirm
          title={t('set.resetSection')}
          cancel={t('verb.cancel')}
          verb={t('set.resetSection')}
          onNo={() => setAsking(false)}
          onYes={reset}
        >
          <p className="small mono">{paths.join(', ')}</p>
        </Confirm>
      )}
    </div>
  )
}

function Pending({ waits, onChanged }: { waits: readonly string[]; onChanged: () => void }) {
  const t = useT()
  const { client, desktop } = useWorld()
  const { told } = useActions()
  const around = useStore(desktop)
  const file = useAsked(async () => await client.commands.configText(), { everyMs: 5000, key: waits.join() })
  return (
    <Banner look="info">
      {t.count('set.pending', waits.length)} <span className="dim mono small">{waits.join(', ')}</span>{' '}
      {file.value?.canUndo === true && (
        <Button small onClick={() => void told(client.commands.undoConfig()).then(onChanged)}>
          {t('raw.undo')}
        </Button>
      )}{' '}
      {around?.attachedTo === null && (
        <Button small onClick={() => void client.desktop?.do('restart')}>
          {t('set.restart')}
        </Button>
      )}
    </Banner>
  )
}

/** How this window looks to this person; nothing of it stands in the file. */
function General({
  parts,
  isSearch,
  config,
  onChanged,
}: {
  parts: ReadonlySet<Part>
  isSearch: boolean
  config: ConfigView | null
  onChanged: () => void
}) {
  const t = useT()
  const { theme, language, density } = useStore(preferences)
  const { client } = useWorld()
  const { told } = useActions()
  const engines = autostartOf(config?.entries ?? [])
  const own = (['startAtLogin', 'onClose', 'trayIcon', 'notifications'] as const).filter((part) => parts.has(part))
  const isThere =
    own.length > 0 ||
    (['language', 'theme', 'density', 'autostart', 'firstRun'] as const).some((part) => parts.has(part))
  if (!isThere) return null
  const row = (part: Part, label: string, effect: string, control: React.ReactNode, source?: string) =>
    parts.has(part) && (
      <WindowRow label={label} effect={effect} source={source}>
        {control}
      </WindowRow>
    )
  return (
    <section aria-label={t('set.section.general')}>
      {row(
        'language',
        t('set.language'),
        t('set.languageWhy'),
        <Select
          grow
          label={t('set.language')}
          value={language}
          options={(Object.keys(LANGUAGES) as Language[]).map((value) => ({ value, label: LANGUAGES[value] }))}
          onChange={(next) => prefer({ language: next as Language })}
        />,
      )}
      {row(
        'theme',
        t('set.theme'),
        t('set.themeWhy'),
        <Segmented
          label={t('set.theme')}
          value={theme}
          options={(['system', 'light', 'dark'] as Theme[]).map((value) => ({ value, label: t(`theme.${value}`) }))}
          onChange={(next) => prefer({ theme: next })}
        />,
      )}
      {row(
        'density',
        t('set.density'),
        t('set.densityWhy'),
        <Segmented
          label={t('set.density')}
          value={density}
          options={(['normal', 'roomy'] as Density[]).map((value) => ({ value, label: t(`density.${value}`) }))}
          onChange={(next) => prefer({ density: next })}
        />,
      )}
      {engines.count > 0 &&
        row(
          'autostart',
          t('set.autostart'),
          `${t('set.autostartWhy')} ${t('set.autostartNow', { on: engines.on, count: engines.count })}`,
          <Switch
            label={t('set.autostart')}
            checked={engines.on === engines.count}
            disabled={engines.changes(engines.on < engines.count).length === 0}
            onChange={(on) => {
              const changes = engines.changes(on)
              void told(client.commands.setConfig({ changes }), t('set.saved', { name: t('set.autostart') })).then(
                onChanged,
              )
            }}
          />,
          t('set.source.file'),
        )}
      {row(
        'firstRun',
        t('set.firstRun'),
        t('set.firstRunWhy'),
        <Button
          onClick={() => {
            stepFirstRun({ do: 'again' })
            goTo('first-run')
          }}
        >
          {t('set.firstRunOpen')}
        </Button>,
      )}
      <DesktopSettings only={own} />
      {client.desktop === null && !isSearch && <p className="set-note small dim">{t('set.onlyDesktop')}</p>}
    </section>
  )
}

/** Whether prompts and answers are kept, which is never for long. */
function Captures() {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const { capture } = useSnapshot().server
  return (
    <section className="set-box" aria-label={t('capture.title')}>
      <h2>{t('capture.title')}</h2>
      <p className="small dim">{t('capture.policy')}</p>
      {capture === null && (
        <Button small onClick={() => void told(client.commands.startCapture(), t('capture.started'))}>
          {t('capture.startAll')}
        </Button>
      )}
    </section>
  )
}

/** Where things lie, and what they take. */
function Folders({ config }: { config: ConfigView }) {
  const t = useT()
  const { client } = useWorld()
  const { told } = useActions()
  const folder = config.path.replace(/[/\\][^/\\]*$/, '')
  const rows: [string, string][] = [
    [t('set.folder.config'), config.exists ? config.path : `${config.path} (${t('fact.defaults')})`],
    [t('set.folder.backup'), 'lexora backup FILE'],
  ]
  return (
    <section className="set-box" aria-label={t('set.folders')}>
      <h2>{t('set.folders')}</h2>
      <dl className="kv">
        {rows.map(([name, value]) => (
          <div key={name} className="kv-row">
            <dt>{name}</dt>
            <dd className="mono small">{value}</dd>
          </div>
        ))}
      </dl>
      <DataPlaces />
      <Button
        small
        onClick={() =>
          void told(
            client.commands.backup({
              file: `${folder}/lexora-backup-${new Date().toISOString().replace(/[:.]/g, '-')}.db`,
            }),
            t('set.backedUp', { folder }),
          )
        }
      >
        {t('set.backup')}
      </Button>
      <OpenFiles />
    </section>
  )
}
