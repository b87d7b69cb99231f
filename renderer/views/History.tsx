import { useVirtualizer } from '@tanstack/react-virtual'
import { type FormEvent, type KeyboardEvent, useCallback, useEffect, useRef, useState } from 'react'
import { createPortal } from 'react-dom'
import type { HistoryRow } from '../../src/protocol/users.ts'
import { download, useToasts } from '../actions.ts'
import { Icon, StateMark } from '../components/Icon.tsx'
import { Button, Empty, IconButton, Menu, Popover, Skeleton, Switch } from '../components/kit.tsx'
import { duration, moment, NONE, number } from '../format.ts'
import { type MessageKey, type Translate, useT } from '../i18n/index.ts'
import { keepList, readList } from '../preferences.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import {
  addFilter,
  type Filter,
  filterText,
  fits,
  inOrder,
  moved,
  parseFilter,
  queryOf,
  rowSpeed,
  statusLook,
  toCsv,
  toJsonLines,
} from '../view-models/history.ts'
import { reasonOf } from '../view-models/log.ts'
import { RequestDrawer } from './RequestDrawer.tsx'

type Column = {
  id: string
  title: MessageKey
  width: number
  rank: '' | 'c1' | 'c2' | 'c3' | 'c4'
  num?: boolean
  show: (row: HistoryRow, t: Translate) => React.ReactNode
}

const COLUMNS: readonly Column[] = [
  {
    id: 'time',
    title: 'col.time',
    width: 76,
    rank: '',
    show: ({ at }, t) => <span className="mid">{moment(at, new Date(), t.language)}</span>,
  },
  {
    id: 'user',
    title: 'col.user',
    width: 84,
    rank: '',
    show: ({ user }, t) => <span className="name">{user ?? t('user.nobody')}</span>,
  },
  {
    id: 'model',
    title: 'col.model',
    width: 104,
    rank: 'c2',
    show: ({ model }) => <span className="name">{model ?? NONE}</span>,
  },
  { id: 'status', title: 'col.status', width: 60, rank: '', show: ({ status }) => <Status status={status} /> },
  { id: 'queue', title: 'col.queue', width: 64, rank: 'c2', num: true, show: ({ queueMs }) => duration(queueMs) },
  { id: 'ttft', title: 'col.ttft', width: 64, rank: 'c1', num: true, show: ({ ttftMs }) => duration(ttftMs) },
  {
    id: 'prompt',
    title: 'col.prompt',
    width: 60,
    rank: 'c3',
    num: true,
    show: ({ promptTokens }) => number(promptTokens),
  },
  {
    id: 'cached',
    title: 'col.cached',
    width: 60,
    rank: 'c4',
    num: true,
    show: ({ cachedTokens }) => number(cachedTokens),
  },
  {
    id: 'output',
    title: 'col.output',
    width: 60,
    rank: 'c3',
    num: true,
    show: ({ completionTokens }) => number(completionTokens),
  },
  { id: 'speed', title: 'col.speed', width: 56, rank: 'c3', num: true, show: (row) => number(rowSpeed(row), 1) },
  { id: 'total', title: 'col.total', width: 72, rank: '', num: true, show: ({ totalMs }) => duration(totalMs) },
  {
    id: 'retries',
    title: 'col.retries',
    width: 56,
    rank: 'c4',
    num: true,
    show: ({ attempts }) => Math.max(0, attempts - 1),
  },
  {
    id: 'backend',
    title: 'col.backend',
    width: 80,
    rank: 'c4',
    show: ({ backend, fellBack }, t) => (
      <>
        <span className="name">{backend ?? NONE}</span>
        {fellBack && <span className="dim"> {t('request.fellBack')}</span>}
      </>
    ),
  },
  {
    id: 'finish',
    title: 'col.finish',
    width: 72,
    rank: 'c4',
    show: ({ finish }) => <span className="mid">{finish ?? NONE}</span>,
  },
  {
    id: 'outcome',
    title: 'col.outcome',
    width: 112,
    rank: 'c3',
    show: ({ outcome, error }) => <span className="mid">{error ?? outcome}</span>,
  },
]

const PAGE = 100
const MOST_EXPORTED = 10_000
const ROW_HEIGHT = 28
const HIDDEN = 'lexora.history.columns'
const ORDER = 'lexora.history.order'
const IDS = COLUMNS.map(({ id }) => id)

/** What ended, newest first, page by page; at first only what `filter` lets through. */
export function History({ corner, filter = '' }: { corner: HTMLElement | null; filter?: string }) {
  const t = useT()
  const [filters, setFilters] = useState<readonly Filter[]>(() => {
    const first = filter === '' ? null : parseFilter(filter)
    return first === null ? [] : [first]
  })
  const [hidden, setHidden] = useState<readonly string[]>(() => readList(HIDDEN))
  const [order, setOrder] = useState<readonly string[]>(() => inOrder(IDS, readList(ORDER)))
  const [chosen, setChosen] = useState<string | null>(null)
  const { rows, failed, more, load, refresh } = usePages(filters)
  const all = order.map((id) => COLUMNS[IDS.indexOf(id)]!)
  const columns = all.filter(({ id }) => !hidden.includes(id))
  const hide = (next: readonly string[]): void => {
    setHidden(next)
    keepList(HIDDEN, next)
  }
  const arrange = (next: readonly string[]): void => {
    setOrder(next)
    keepList(ORDER, next)
  }
  const shown = rows?.filter((row) => fits(row, filters)) ?? null
  const at = shown?.findIndex(({ id }) => id === chosen) ?? -1
  const row = at >= 0 ? shown![at]! : null
  const step = (by: number): void => {
    const next = shown?.[at + by]
    if (next !== undefined) setChosen(next.id)
  }
  return (
    <>
      {corner !== null &&
        createPortal(
          <>
            <Button small look="quiet" onClick={refresh}>
              {t('history.refresh')}
            </Button>
            <Chooser columns={all} hidden={hidden} onHide={hide} onArrange={arrange} />
            <Export filters={filters} />
          </>,
          corner,
        )}
      <FilterBar filters={filters} onChange={setFilters} count={shown?.length ?? null} more={more} />
      <div className={row === null ? 'fill-col' : 'pane fill'}>
        {failed !== null && rows === null ? (
          <Empty bad title={t('history.failed')} actions={<Button onClick={refresh}>{t('verb.tryAgain')}</Button>}>
            {failed}
          </Empty>
        ) : shown === null ? (
          <Skeleton rows={12} />
        ) : shown.length === 0 ? (
          <NoRows filtered={filters.length > 0} onClear={() => setFilters([])} />
        ) : (
          <Rows rows={shown} columns={columns} chosen={chosen} onChoose={setChosen} more={more} onMore={load} />
        )}
        {row !== null && <RequestDrawer row={row} onClose={() => setChosen(null)} onStep={step} />}
      </div>
    </>
  )
}

/** Which columns there are, and in which order. The time always is: without it no row says when. */
function Chooser({
  columns,
  hidden,
  onHide,
  onArrange,
}: {
  columns: readonly Column[]
  hidden: readonly string[]
  onHide: (hidden: readonly string[]) => void
  onArrange: (order: readonly string[]) => void
}) {
  const t = useT()
  const [told, setTold] = useState<string | null>(null)
  const order = columns.map(({ id }) => id)
  const move = (id: string, column: string, by: -1 | 1): void => {
    const next = moved(order, id, by)
    onArrange(next)
    setTold(t('history.movedTo', { column, place: next.indexOf(id) + 1, count: next.length }))
  }
  return (
    <Popover className="btn btn-quiet btn-small" title={t('history.columns')} trigger={t('history.columns')}>
      <ul>
        {columns.map(({ id, title }, at) => {
          const column = t(title)
          return (
            <li key={id} className="row tight">
              <Switch
                label={column}
                checked={!hidden.includes(id)}
                disabled={id === 'time'}
                onChange={(on) => onHide(on ? hidden.filter((other) => other !== id) : [...hidden, id])}
              />
              <span className="grow clip">{column}</span>
              <IconButton
                icon="up"
                label={t('history.moveUp', { column })}
                disabled={at === 0}
                onClick={() => move(id, column, -1)}
              />
              <IconButton
                icon="down"
                label={t('history.moveDown', { column })}
                disabled={at === columns.length - 1}
                onClick={() => move(id, column, 1)}
              />
            </li>
          )
        })}
      </ul>
      <p className="small dim" role="status">
        {told}
      </p>
    </Popover>
  )
}

function NoRows({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  const t = useT()
  const { server } = useSnapshot()
  if (filtered)
    return <Empty title={t('history.noneFiltered')} actions={<Button onClick={onClear}>{t('history.clear')}</Button>} />
  return <Empty title={t('history.none')}>{t('history.noneWhy', { address: server.address })}</Empty>
}

function FilterBar({
  filters,
  onChange,
  count,
  more,
}: {
  filters: readonly Filter[]
  onChange: (filters: readonly Filter[]) => void
  count: number | null
  more: boolean
}) {
  const t = useT()
  const [text, setText] = useState('')
  const [bad, setBad] = useState<string | null>(null)
  const add = (event: FormEvent): void => {
    event.preventDefault()
    if (text.trim() === '') return
    const filter = parseFilter(text)
    setBad(filter === null ? text : null)
    if (filter === null) return
    onChange(addFilter(filters, filter))
    setText('')
  }
  return (
    <div className="bar line-b filter-bar">
      <form onSubmit={add} className={`field field-small filter-field${bad === null ? '' : ' is-bad'}`}>
        <Icon name="search" />
        <input
          data-filter=""
          className="small"
          aria-label={t('history.addFilter')}
          placeholder={t('history.addFilter')}
          title={t('history.filterHelp')}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </form>
      {filters.map((filter) => (
        <span key={filter.kind} className="filter">
          {filterText(filter)}
          <button
            type="button"
            aria-label={t('history.removeFilter', { filter: filterText(filter) })}
            onClick={() => onChange(filters.filter((other) => other !== filter))}
          >
            <Icon name="close" />
          </button>
        </span>
      ))}
      {bad !== null ? (
        <span className="small bad grow clip" role="alert">
          {t('history.badFilter', { text: bad })}
        </span>
      ) : (
        <span className="small dim clip grow wide">{filters.length === 0 ? t('history.filterHelp') : ''}</span>
      )}
      <span className="small dim nowrap" role="status">
        {count !== null && t.count('history.count', count, { count: `${number(count)}${more ? '+' : ''}` })}
      </span>
    </div>
  )
}

function Rows({
  rows,
  columns,
  chosen,
  onChoose,
  more,
  onMore,
}: {
  rows: readonly HistoryRow[]
  columns: readonly Column[]
  chosen: string | null
  onChoose: (id: string | null) => void
  more: boolean
  onMore: () => void
}) {
  const t = useT()
  const box = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  })
  const items = virtual.getVirtualItems()
  const lastShown = items.at(-1)?.index ?? 0
  useEffect(() => {
    if (more && lastShown >= rows.length - 20) onMore()
  }, [more, lastShown, rows.length, onMore])
  const at = rows.findIndex(({ id }) => id === chosen)
  const move = (to: number): void => {
    const next = Math.min(rows.length - 1, Math.max(0, to))
    const row = rows[next]
    if (row === undefined) return
    virtual.scrollToIndex(next)
    onChoose(row.id)
  }
  const onKey = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 }
    const by = steps[event.key]
    if (by !== undefined) {
      event.preventDefault()
      move(at === -1 ? 0 : at + by)
    } else if (event.key === 'Enter' && at === -1) move(0)
  }
  const before = items[0]?.start ?? 0
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0)
  return (
    <section
      ref={box}
      className="table-wrap fill"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys choose a row
      tabIndex={0}
      aria-label={t('requests.history')}
      onKeyDown={onKey}
    >
      <table className="table" aria-rowcount={rows.length}>
        <colgroup>
          {columns.map(({ id, rank, width }) => (
            <col key={id} className={rank} style={{ width }} />
          ))}
        </colgroup>
        <thead>
          <tr>
            {columns.map(({ id, title, rank, num }) => (
              <th key={id} className={`${rank}${num ? ' num' : ''}`}>
                {t(title)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 && <tr className="gap-row" style={{ height: before }} />}
          {items.map(({ index }) => {
            const row = rows[index]!
            return (
              <tr
                key={row.id}
                aria-selected={row.id === chosen}
                onClick={() => onChoose(row.id === chosen ? null : row.id)}
              >
                {columns.map(({ id, rank, num, show }) => (
                  <td key={id} className={`${rank}${num ? ' num' : ''}`}>
                    {show(row, t)}
                  </td>
                ))}
              </tr>
            )
          })}
          {after > 0 && <tr className="gap-row" style={{ height: after }} />}
        </tbody>
      </table>
    </section>
  )
}

function Status({ status }: { status: number }) {
  const look = statusLook(status)
  return (
    <span className={`row tight ${look}`}>
      {look === 'bad' && <StateMark shape="failed" />}
      {status}
    </span>
  )
}

function Export({ filters }: { filters: readonly Filter[] }) {
  const t = useT()
  const { client } = useWorld()
  const toasts = useToasts()
  const save = async (kind: 'csv' | 'jsonl'): Promise<void> => {
    try {
      const rows: HistoryRow[] = []
      let before: string | null = null
      do {
        const page: { rows: HistoryRow[]; next: string | null } = await client.commands.requestHistory({
          ...queryOf(filters, Date.now()),
          limit: 1000,
          ...(before === null ? {} : { before }),
        })
        rows.push(...page.rows.filter((row) => fits(row, filters)))
        before = page.next
      } while (before !== null && rows.length < MOST_EXPORTED)
      const file = `lexora-requests-${new Date().toISOString().slice(0, 10)}.${kind}`
      download(
        file,
        kind === 'csv' ? toCsv(rows) : toJsonLines(rows),
        kind === 'csv' ? 'text/csv' : 'application/x-ndjson',
      )
      toasts.say(t('done.exported', { count: number(rows.length), file }))
    } catch (error) {
      toasts.fail(t('failed.command', { reason: reasonOf(error) }))
    }
  }
  return (
    <Menu
      label={t('history.export')}
      trigger={t('history.export')}
      entries={[
        { label: t('history.export.csv'), onClick: () => void save('csv') },
        { label: t('history.export.jsonl'), onClick: () => void save('jsonl') },
      ]}
    />
  )
}

/** Page after page, oldest last; another filter begins anew. */
function usePages(filters: readonly Filter[]) {
  const { client, link } = useWorld()
  const isLive = useStore(link).is === 'live'
  const [pages, setPages] = useState<{ rows: HistoryRow[]; next: string | null } | null>(null)
  const [failed, setFailed] = useState<string | null>(null)
  const [asked, setAsked] = useState(0)
  const busy = useRef(false)
  // biome-ignore lint/correctness/useExhaustiveDependencies: asking again (asked) is a reason, too
  useEffect(() => {
    if (!isLive) return
    let open = true
    client.commands.requestHistory({ ...queryOf(filters, Date.now()), limit: PAGE }).then(
      (page) => {
        if (!open) return
        setPages(page)
        setFailed(null)
      },
      (error: unknown) => open && setFailed(reasonOf(error)),
    )
    return () => {
      open = false
    }
  }, [client, filters, asked, isLive])
  const next = pages?.next ?? null
  const load = useCallback(() => {
    if (next === null || busy.current) return
    busy.current = true
    client.commands
      .requestHistory({ ...queryOf(filters, Date.now()), limit: PAGE, before: next })
      .then(
        (page) =>
          setPages((before) => (before === null ? page : { rows: [...before.rows, ...page.rows], next: page.next })),
        (error: unknown) => setFailed(reasonOf(error)),
      )
      .finally(() => {
        busy.current = false
      })
  }, [client, filters, next])
  return { rows: pages?.rows ?? null, failed, more: next !== null, load, refresh: () => setAsked((count) => count + 1) }
}
