import { useVirtualizer } from '@tanstack/react-virtual'
import { type FormEvent, useCallback, useEffect, useRef, useState } from 'react'
import { createPortal } from 'react-dom'
import type { HistoryRow } from '../../src/protocol/users.ts'
import { download, useToasts } from '../actions.ts'
import { Icon } from '../components/Icon.tsx'
import { Banner, Button, Empty, Menu, Skeleton } from '../components/kit.tsx'
import { number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { useTableKeys } from '../table-keys.ts'
import { addFilter, type Filter, filterText, parseFilter, queryOf, toCsv, toJsonLines } from '../view-models/history.ts'
import { reasonOf } from '../view-models/log.ts'
import { type Column, ColumnChooser, useColumns } from './HistoryColumns.tsx'
import { RequestDrawer } from './RequestDrawer.tsx'

const PAGE = 100
const MOST_EXPORTED = 10_000
const ROW_HEIGHT = 28

/** What ended, newest first, page by page; at first only what `filter` lets through. */
export function History({ corner, filter = '' }: { corner: HTMLElement | null; filter?: string }) {
  const t = useT()
  const [filters, setFilters] = useState<readonly Filter[]>(() => {
    const first = filter === '' ? null : parseFilter(filter)
    return first === null ? [] : [first]
  })
  const columns = useColumns()
  const [chosen, setChosen] = useState<string | null>(null)
  const { rows: shown, failed, more, load, again, refresh } = usePages(filters)
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
            <ColumnChooser {...columns} />
            <Export filters={filters} />
          </>,
          corner,
        )}
      <FilterBar filters={filters} onChange={setFilters} count={shown?.length ?? null} more={more} />
      {failed !== null && shown !== null && (
        <Banner look="bad" actions={<Button onClick={again}>{t('verb.tryAgain')}</Button>}>
          {t('history.failed')}: {t.said(failed)}
        </Banner>
      )}
      <div className={row === null ? 'fill-col' : 'pane fill'}>
        {failed !== null && shown === null ? (
          <Empty bad title={t('history.failed')} actions={<Button onClick={refresh}>{t('verb.tryAgain')}</Button>}>
            {t.said(failed)}
          </Empty>
        ) : shown === null ? (
          <Skeleton rows={12} />
        ) : shown.length === 0 ? (
          <NoRows filtered={filters.length > 0} onClear={() => setFilters([])} />
        ) : (
          <Rows rows={shown} columns={columns.shown} chosen={chosen} onChoose={setChosen} more={more} onMore={load} />
        )}
        {row !== null && <RequestDrawer row={row} onClose={() => setChosen(null)} onStep={step} />}
      </div>
    </>
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
  const { marked, onKey } = useTableKeys(
    rows.map(({ id }) => id),
    chosen,
    onChoose,
    (index) => virtual.scrollToIndex(index),
  )
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
                className={marked.has(row.id) ? 'is-marked' : ''}
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
        rows.push(...page.rows)
        before = page.next
      } while (before !== null && rows.length < MOST_EXPORTED)
      const file = `lexora-requests-${new Date().toISOString().slice(0, 10)}.${kind}`
      download(
        file,
        kind === 'csv' ? toCsv(rows) : toJsonLines(rows),
        kind === 'csv' ? 'text/csv' : 'application/x-ndjson',
      )
      toasts.say(t(before === null ? 'done.exported' : 'done.exportedNewest', { count: number(rows.length), file }))
    } catch (error) {
      toasts.fail(t('failed.command', { reason: t.said(reasonOf(error)) }))
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

type Pages = { of: readonly Filter[]; rows: HistoryRow[]; next: string | null }

/** Page after page, oldest last; another filter begins anew, and what was asked under the one before is dropped. */
function usePages(filters: readonly Filter[]) {
  const { client, link } = useWorld()
  const isLive = useStore(link).is === 'live'
  const [held, setHeld] = useState<Pages | null>(null)
  const [trouble, setTrouble] = useState<{ of: readonly Filter[]; reason: string; isFirst: boolean } | null>(null)
  const [asked, setAsked] = useState(0)
  const asking = useRef<object | null>(null)
  const pages = held?.of === filters ? held : null
  const failed = trouble?.of === filters ? trouble : null
  const ask = useCallback(
    (from: Pages | null): void => {
      // Only what was asked last is heard.
      const one = {}
      asking.current = one
      const before = from?.next ?? null
      client.commands
        .requestHistory({ ...queryOf(filters, Date.now()), limit: PAGE, ...(before === null ? {} : { before }) })
        .then(
          ({ rows, next }) => {
            if (asking.current !== one) return
            setHeld({ of: filters, rows: [...(from?.rows ?? []), ...rows], next })
            setTrouble(null)
            asking.current = null
          },
          (error: unknown) => {
            if (asking.current !== one) return
            setTrouble({ of: filters, reason: reasonOf(error), isFirst: from === null })
            asking.current = null
          },
        )
    },
    [client, filters],
  )
  // biome-ignore lint/correctness/useExhaustiveDependencies: asking again (asked) is a reason, too
  useEffect(() => {
    if (isLive) ask(null)
  }, [ask, asked, isLive])
  const refresh = useCallback(() => setAsked((count) => count + 1), [])
  const more = pages !== null && pages.next !== null
  const load = useCallback(() => {
    if (more && asking.current === null && failed === null) ask(pages)
  }, [ask, more, pages, failed])
  const again = failed?.isFirst === false ? () => ask(pages) : refresh
  return { rows: pages?.rows ?? null, failed: failed?.reason ?? null, more, load, again, refresh }
}
