import { type ReactNode, useState } from 'react'
import type { HistoryRow } from '../../src/protocol/users.ts'
import { StateMark } from '../components/Icon.tsx'
import { IconButton, Popover, Switch } from '../components/kit.tsx'
import { duration, moment, NONE, number } from '../format.ts'
import { type MessageKey, type Translate, useT } from '../i18n/index.ts'
import { keepList, readList } from '../preferences.ts'
import { inOrder, moved, rowSpeed, statusLook } from '../view-models/history.ts'

export type Column = {
  id: string
  title: MessageKey
  width: number
  rank: '' | 'c1' | 'c2' | 'c3' | 'c4'
  num?: boolean
  show: (row: HistoryRow, t: Translate) => ReactNode
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

const HIDDEN = 'lexora.history.columns'
const ORDER = 'lexora.history.order'
const IDS = COLUMNS.map(({ id }) => id)

/** The columns as this person has them; kept in this browser. */
export function useColumns() {
  const [hidden, setHidden] = useState<readonly string[]>(() => readList(HIDDEN))
  const [order, setOrder] = useState<readonly string[]>(() => inOrder(IDS, readList(ORDER)))
  const all = order.map((id) => COLUMNS[IDS.indexOf(id)]!)
  return {
    all,
    shown: all.filter(({ id }) => !hidden.includes(id)),
    hidden,
    onHide: (next: readonly string[]): void => {
      setHidden(next)
      keepList(HIDDEN, next)
    },
    onArrange: (next: readonly string[]): void => {
      setOrder(next)
      keepList(ORDER, next)
    },
  }
}

/** Which columns there are, and in which order. The time always is: without it no row says when. */
export function ColumnChooser({
  all,
  hidden,
  onHide,
  onArrange,
}: {
  all: readonly Column[]
  hidden: readonly string[]
  onHide: (hidden: readonly string[]) => void
  onArrange: (order: readonly string[]) => void
}) {
  const t = useT()
  const [told, setTold] = useState<string | null>(null)
  const order = all.map(({ id }) => id)
  const move = (id: string, column: string, by: -1 | 1): void => {
    const next = moved(order, id, by)
    onArrange(next)
    setTold(t('history.movedTo', { column, place: next.indexOf(id) + 1, count: next.length }))
  }
  return (
    <Popover className="btn btn-quiet btn-small" title={t('history.columns')} trigger={t('history.columns')}>
      <ul>
        {all.map(({ id, title }, at) => {
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
                disabled={at === all.length - 1}
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

function Status({ status }: { status: number }) {
  const look = statusLook(status)
  return (
    <span className={`row tight ${look}`}>
      {look === 'bad' && <StateMark shape="failed" />}
      {status}
    </span>
  )
}
