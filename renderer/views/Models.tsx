import { useState } from 'react'
import { canRestart } from '../../src/protocol/engine.ts'
import { type DiskView, type FitReport, isPullFull, isPullOpen } from '../../src/protocol/models.ts'
import { useActions, useCopy } from '../actions.ts'
import { benches } from '../bench-store.ts'
import { Field } from '../components/forms.tsx'
import { Icon, StateMark } from '../components/Icon.tsx'
import { Banner, Button, Empty, IconButton, Menu, Segmented, Skeleton } from '../components/kit.tsx'
import { ago, gib, gigabytes, kilo, moment, NONE, number, percent } from '../format.ts'
import { type MessageKey, useT } from '../i18n/index.ts'
import { keepList, readList } from '../preferences.ts'
import { goTo, type ScreenProps } from '../route.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { useTableKeys } from '../table-keys.ts'
import { useFits, useHeld, useModels, useStartModel } from '../use-models.ts'
import {
  diskLook,
  fitLook,
  type ListKind,
  type ModelRow,
  modelRows,
  nextSort,
  rowVerb,
  type Sort,
  type SortKey,
  sortedRows,
  sortWords,
  weightsWord,
  wordsSort,
} from '../view-models/catalogue.ts'
import { engineWords, shapeOf } from '../view-models/frame.ts'
import { fullText, pullText } from '../view-models/pull-text.ts'
import { AddModel } from './AddModel.tsx'
import { EngineVersions } from './EngineVersions.tsx'
import { HubToken } from './HubToken.tsx'
import { ModelDrawer } from './ModelDrawer.tsx'
import { Presets } from './Presets.tsx'

const VERSIONS = 'engine-versions'
const SORT = 'lexora.models.sort'

/** `tab`: of its drawer. */
type OnChoose = (id: string | null, tab?: string) => void

const TITLES: readonly { by: SortKey; title: MessageKey; className?: string }[] = [
  { by: 'name', title: 'col.model' },
  { by: 'weights', title: 'models.col.weights', className: 'cm' },
  { by: 'size', title: 'models.col.size', className: 'c2 num' },
  { by: 'context', title: 'models.col.context', className: 'c2 num' },
  { by: 'memory', title: 'models.col.memory' },
  { by: 'speed', title: 'col.speed', className: 'cm num' },
  { by: 'used', title: 'models.col.used', className: 'c3' },
]

/** Models on this machine, on their way, and good ones to begin with; the engines that run them. */
export function Models({ path }: ScreenProps) {
  const t = useT()
  const { engines } = useSnapshot()
  const { client } = useWorld()
  const { told } = useActions()
  const [search, setSearch] = useState('')
  const [kind, setKind] = useState<ListKind>('local')
  const [sort, setSort] = useState<Sort>(() => wordsSort(readList(SORT)))
  const speeds = useStore(benches)
  const [adding, setAdding] = useState(false)
  const [scanning, setScanning] = useState(false)
  const { models, disk, presets, pulls, again } = useModels()
  const running = engines.filter(({ pid }) => pid !== null).map(({ name }) => name)
  const fits = useFits(models.value, running.join(' '))
  const held = useHeld(running.length > 0)
  const all = models.value === null ? null : modelRows(models.value, engines, pulls, search)
  const coming = pulls.filter(isPullOpen).length
  const speedOf = (id: string): number | null => speeds[id]?.[0]?.tokensPerSecondPerStream ?? null
  const listed = all?.filter(({ pull }) => kind !== 'coming' || pull !== null) ?? null
  const rows = listed === null ? null : sortedRows(listed, sort, { fits, speedOf })
  const [chosen = '', tab] = path.split('/').map(decodeURIComponent)
  const choose: OnChoose = (id, tab) =>
    goTo('models', id === null ? '' : [id, ...(tab === undefined ? [] : [tab])].map(encodeURIComponent).join('/'))
  // `engine:NAME` finds the model that this engine runs.
  const at = rows?.findIndex(({ id, engine }) => id === chosen || `engine:${engine?.name}` === chosen) ?? -1
  const row = at >= 0 ? rows![at]! : null
  const step = (by: number): void => {
    const next = rows?.[at + by]
    if (next !== undefined) choose(next.id)
  }
  const bytes = (models.value ?? []).reduce((sum, model) => sum + model.bytes, 0)
  const scan = async (): Promise<void> => {
    setScanning(true)
    await told(client.commands.scanModels(), t('models.scanned'))
    await again()
    setScanning(false)
  }
  const isOpen = row !== null || chosen === VERSIONS
  return (
    <>
      <h1 className="sr">{t('nav.models')}</h1>
      <div className="bar line-b bar-tall">
        <div className="grow search-box">
          <Field label={t('models.search')} value={search} onChange={setSearch} filter hideLabel />
        </div>
        <Segmented
          label={t('models.which')}
          value={kind}
          options={[
            { value: 'local', label: t('models.local', { count: models.value?.length ?? 0 }) },
            { value: 'coming', label: t('models.coming', { count: coming }) },
            { value: 'hub', label: t('models.hub') },
          ]}
          onChange={setKind}
        />
        <span className="small dim clip push opt-wide" role="status">
          {models.value !== null && t('models.onDisk', { size: gigabytes(bytes) })}
        </span>
        {disk !== null && <Disk disk={disk} models={bytes} />}
        <Button look="quiet" onClick={() => void scan()} busy={scanning}>
          {t('models.rescan')}
        </Button>
        <Button look="quiet" onClick={() => choose(chosen === VERSIONS ? null : VERSIONS)}>
          {t('models.versions')}
        </Button>
        <Button look="first" onClick={() => setAdding(true)}>
          {t('models.add')}
        </Button>
      </div>
      {disk !== null && diskLook(disk) !== 'good' && (
        <Banner look={diskLook(disk) === 'full' ? 'bad' : 'warn'}>
          {t('disk.low', { size: gigabytes(disk.freeBytes), folder: disk.folder })}
        </Banner>
      )}
      {pulls.filter(isPullFull).map((pull) => (
        <Banner
          key={pull.id}
          look="bad"
          actions={
            <Button small onClick={() => void told(client.commands.resumePull({ id: pull.id })).then(again)}>
              {t('pull.goOn')}
            </Button>
          }
        >
          {fullText(pull, disk, t)}
        </Banner>
      ))}
      <div className={isOpen ? 'pane fill pane-wide' : 'fill-col'}>
        {kind === 'hub' ? (
          <Presets presets={presets} onChanged={() => void again()} search={search} />
        ) : models.failed !== null && rows === null ? (
          <Empty
            bad
            title={t('models.failed')}
            actions={<Button onClick={() => void again()}>{t('verb.tryAgain')}</Button>}
          >
            {models.failed}
          </Empty>
        ) : rows === null ? (
          <Skeleton rows={7} height={44} />
        ) : (
          <List
            rows={rows}
            sort={sort}
            onSort={(next) => {
              setSort(next)
              keepList(SORT, sortWords(next))
            }}
            speedOf={speedOf}
            fits={fits}
            held={[...held.values()].reduce((sum, bytes) => sum + bytes, 0)}
            chosen={row?.id ?? null}
            onChoose={choose}
            kind={kind}
            filtered={search.trim() !== ''}
            onHub={() => setKind('hub')}
            onAdd={() => setAdding(true)}
            onChanged={() => void again()}
          />
        )}
        {chosen === VERSIONS ? (
          <EngineVersions onClose={() => choose(null)} />
        ) : (
          row !== null && (
            <ModelDrawer
              key={`${row.id} ${tab ?? ''}`}
              row={row}
              first={tab}
              onClose={() => choose(null)}
              onStep={step}
              onChanged={() => void again()}
            />
          )
        )}
      </div>
      {adding && (
        <AddModel
          onClose={() => {
            setAdding(false)
            void again()
          }}
        />
      )}
    </>
  )
}

/** What the models take of their disk, what else is on it, and what is free. */
function Disk({ disk, models }: { disk: DiskView; models: number }) {
  const t = useT()
  const { freeBytes, totalBytes, folder } = disk
  const used = totalBytes === 0 ? 0 : 1 - freeBytes / totalBytes
  const look = diskLook(disk)
  const words = t('disk.free', { free: gigabytes(freeBytes), total: gigabytes(totalBytes) })
  return (
    <span className="row tight small disk" title={`${words}\n${folder}`}>
      <span className="sr">{t('disk.label', { models: gigabytes(models) })}</span>
      <span className="meter" aria-hidden="true">
        <i
          className={look === 'full' ? 'is-full' : look === 'low' ? 'is-near' : undefined}
          style={{ width: `${used * 100}%` }}
        />
      </span>
      <span className={look === 'good' ? 'dim nowrap' : 'warn nowrap'}>
        {t('disk.short', { free: gigabytes(freeBytes) })}
      </span>
    </span>
  )
}

function List({
  rows,
  sort,
  onSort,
  speedOf,
  fits,
  held,
  chosen,
  onChoose,
  kind,
  filtered,
  onHub,
  onAdd,
  onChanged,
}: {
  rows: readonly ModelRow[]
  sort: Sort
  onSort: (sort: Sort) => void
  speedOf: (id: string) => number | null
  fits: ReadonlyMap<string, FitReport | null>
  /** Of the GPUs' memory, by engines of ours. */
  held: number
  chosen: string | null
  onChoose: OnChoose
  kind: ListKind
  filtered: boolean
  onHub: () => void
  onAdd: () => void
  onChanged: () => void
}) {
  const t = useT()
  const { marked, onKey } = useTableKeys(
    rows.map(({ id }) => id),
    chosen,
    onChoose,
  )
  return (
    <section
      className="table-wrap fill"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys choose a row
      tabIndex={0}
      aria-label={t('nav.models')}
      onKeyDown={onKey}
    >
      {rows.length > 0 && (
        <table className="table tall">
          <colgroup>
            <col />
            <col className="cm" style={{ width: 84 }} />
            <col className="c2" style={{ width: 80 }} />
            <col className="c2" style={{ width: 64 }} />
            <col style={{ width: 132 }} />
            <col className="cm" style={{ width: 60 }} />
            <col className="c3" style={{ width: 108 }} />
            <col style={{ width: 108 }} />
          </colgroup>
          <thead>
            <tr>
              {TITLES.map(({ by, title, className }) => (
                <th
                  key={by}
                  className={className}
                  aria-sort={sort?.by !== by ? undefined : sort.down ? 'descending' : 'ascending'}
                >
                  <button type="button" onClick={() => onSort(nextSort(sort, by))}>
                    {t(title)}
                  </button>
                </th>
              ))}
              <th>
                <span className="sr">{t('col.action')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <Line
                key={row.id}
                row={row}
                fit={fits.get(row.id)}
                speed={speedOf(row.id)}
                held={held}
                chosen={row.id === chosen}
                marked={marked.has(row.id)}
                onChoose={onChoose}
                onChanged={onChanged}
              />
            ))}
          </tbody>
        </table>
      )}
      {(rows.length === 0 ||
        (kind === 'local' && !filtered && rows.every(({ model, pull }) => model === null && pull === null))) &&
        (filtered ? (
          <Empty title={t('models.noneFits')} />
        ) : kind === 'coming' ? (
          <Empty title={t('models.noneComing')} />
        ) : (
          <Empty
            title={t('models.none')}
            actions={
              <>
                <Button look="first" onClick={onHub}>
                  {t('models.choose')}
                </Button>
                <Button onClick={onAdd}>{t('models.add')}</Button>
              </>
            }
          >
            {t('models.noneWhy')}
          </Empty>
        ))}
    </section>
  )
}

function Line({
  row,
  fit,
  speed,
  held,
  chosen,
  marked,
  onChoose,
  onChanged,
}: {
  row: ModelRow
  /** Undefined: not asked yet. */
  fit: FitReport | null | undefined
  /** Of the last bench, in tokens a second. */
  speed: number | null
  held: number
  chosen: boolean
  marked: boolean
  onChoose: OnChoose
  onChanged: () => void
}) {
  const t = useT()
  const { queues } = useSnapshot()
  const { model, engine, pull, name, id } = row
  const now = new Date()
  const says = pull !== null ? pullText(row, t) : engine !== null ? engineWords(engine, queues, t) : null
  const below = [model === null ? null : model.id, says].filter((part) => part !== null).join(' · ') || id
  return (
    <tr aria-selected={chosen} className={marked ? 'is-marked' : ''} onClick={() => onChoose(chosen ? null : id)}>
      <td>
        <span className="cell">
          <RowMark row={row} />
          <span className="col two-line">
            <span className="clip strong name">{name}</span>
            <span className="clip micro dim" title={below}>
              {below}
            </span>
          </span>
        </span>
      </td>
      <td className="cm mid">{(model === null ? null : weightsWord(model)) ?? NONE}</td>
      <td className="c2 num">
        {pull !== null && pull.total !== null
          ? percent(pull.total === 0 ? 0 : pull.bytes / pull.total)
          : model === null
            ? NONE
            : gigabytes(model.bytes)}
      </td>
      <td className="c2 num">{model?.contextLength == null ? NONE : kilo(model.contextLength)}</td>
      <td>
        <Memory row={row} fit={fit} held={held} />
      </td>
      <td className="cm num">{number(speed, 1)}</td>
      <td className="c3 mid" title={model?.lastUsed == null ? undefined : moment(model.lastUsed, now, t.language)}>
        {model === null ? NONE : model.lastUsed === null ? t('users.never') : ago(model.lastUsed, now, t.language)}
      </td>
      <td className="num">
        {/* biome-ignore lint/a11y/noStaticElementInteractions: a click on the button is none on the row */}
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the button has its own keys */}
        <span onClick={(event) => event.stopPropagation()}>
          <span className="row tight end">
            <RowButton row={row} onChanged={onChanged} />
            {model !== null && <RowMenu row={row} onChoose={onChoose} />}
          </span>
        </span>
      </td>
    </tr>
  )
}

/** What else may be done with a model; what asks before it acts is in its drawer. */
function RowMenu({ row: { id, name, engine }, onChoose }: { row: ModelRow; onChoose: OnChoose }) {
  const t = useT()
  const actions = useActions()
  const copy = useCopy()
  return (
    <Menu
      label={t('models.menu', { name })}
      className="btn btn-quiet btn-icon btn-small"
      trigger={<span aria-hidden="true">⋯</span>}
      entries={[
        ...(engine !== null && canRestart(engine.state)
          ? [{ label: t('verb.restart'), onClick: () => void actions.restart(engine.name) }, 'line' as const]
          : []),
        { label: t('model.tab.fit'), onClick: () => onChoose(id, 'fit') },
        { label: t('files.check'), onClick: () => onChoose(id, 'files') },
        { label: t('models.copyId'), onClick: () => copy(id) },
        'line',
        { label: t('files.remove'), onClick: () => onChoose(id, 'files') },
      ]}
    />
  )
}

function RowMark({ row: { engine, pull, model } }: { row: ModelRow }) {
  if (pull !== null) return isPullOpen(pull) ? <Icon name="down" /> : <StateMark shape="failed" />
  if (engine !== null) return <StateMark shape={shapeOf(engine.state)} />
  return <StateMark shape={model?.complete === false ? 'failed' : 'stopped'} />
}

function Memory({
  row: { model, pull, engine },
  fit,
  held,
}: {
  row: ModelRow
  fit: FitReport | null | undefined
  held: number
}) {
  const t = useT()
  if (pull !== null && pull.total !== null && isPullOpen(pull)) {
    const share = pull.total === 0 ? 0 : pull.bytes / pull.total
    return (
      <span
        className="meter meter-pull"
        role="progressbar"
        aria-label={t('pull.progress')}
        aria-valuenow={Math.round(share * 100)}
      >
        <i style={{ width: `${share * 100}%` }} />
      </span>
    )
  }
  if (model === null) return <span className="dim">{NONE}</span>
  if (!model.complete) {
    return (
      <span className="col two-line">
        <span className="bad">{t('fit.incomplete')}</span>
        <span className="micro dim clip">{model.missing[0] ?? ''}</span>
      </span>
    )
  }
  if (engine?.pid != null) return <span>{t('fit.runs')}</span>
  if (fit === undefined) return <span className="dim">…</span>
  const { look, spareBytes, neededBytes, context } = fitLook(fit, held)
  const note =
    look === 'no' || look === 'swap' || look === 'shorter'
      ? t('fit.needs', { size: gib(neededBytes) })
      : spareBytes !== null
        ? t('fit.spare', { size: gib(spareBytes) })
        : look === 'unknown'
          ? ''
          : t('fit.ofMachine')
  return (
    <span className="col two-line">
      <span className={look === 'no' ? 'bad' : look === 'fits' || look === 'unknown' ? '' : 'warn'}>
        {t(`fit.${look}`, { context: kilo(context ?? 0) })}
      </span>
      <span className="micro dim clip">{note}</span>
    </span>
  )
}

function RowButton({ row, onChanged }: { row: ModelRow; onChanged: () => void }) {
  const t = useT()
  const actions = useActions()
  const { client } = useWorld()
  const start = useStartModel()
  const { model, engine, pull } = row
  const verb = rowVerb(row)
  const [asksToken, setAsksToken] = useState(false)
  switch (verb) {
    case 'stop':
      return (
        <Button small onClick={() => void actions.stop(engine!.name)}>
          {t('models.stop')}
        </Button>
      )
    case 'pull': {
      const { id, state } = pull!
      const { cancelPull, pausePull, resumePull } = client.commands
      const ask = (command: typeof cancelPull) => (): void => void actions.told(command({ id })).then(onChanged)
      return (
        <span className="row tight end">
          {state === 'held' ? (
            <IconButton icon="play" label={t('pull.resume')} onClick={ask(resumePull)} />
          ) : (
            <IconButton icon="pause" label={t('pull.pause')} onClick={ask(pausePull)} />
          )}
          <IconButton icon="close" label={t('verb.cancel')} onClick={ask(cancelPull)} />
        </span>
      )
    }
    case 'retry': {
      const repo = pull?.repo ?? model?.id ?? ''
      const again = (): void => void actions.told(client.commands.pullModel({ repo })).then(onChanged)
      const terms = pull?.problem?.terms
      if (terms !== undefined)
        return (
          <>
            <Button small onClick={() => setAsksToken(true)}>
              {t('hub.open')}
            </Button>
            {asksToken && <HubToken terms={terms} onDone={again} onClose={() => setAsksToken(false)} />}
          </>
        )
      return (
        <Button small disabled={pull === null && model?.source === 'folder'} onClick={again}>
          {t('models.repair')}
        </Button>
      )
    }
    case 'start':
      return (
        <Button
          small
          onClick={() => {
            if (model !== null) void start(model, engine?.name ?? null).then(onChanged)
            else if (engine !== null) void actions.start(engine.name)
          }}
        >
          {t('models.start')}
        </Button>
      )
    case 'none':
      return null
  }
}
