import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, memo, useEffect, useMemo, useRef, useState } from 'react'
import { useCopy } from '../actions.ts'
import { Icon } from '../components/Icon.tsx'
import { Empty, IconButton, Segmented, Select, Skeleton, Switch } from '../components/kit.tsx'
import { clock, number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import {
  appendLines,
  engineLine,
  type LogFilter,
  type LogLine,
  passes,
  pieces,
  reasonOf,
  searchOf,
} from '../view-models/log.ts'

const LOOK_MS = 500
const LINE_HEIGHT = 18

/** What an engine prints, also when it is gone. `only`: of no other one. */
export function EngineLogView({ only = null }: { only?: string | null }) {
  const t = useT()
  const { engines } = useSnapshot()
  const { client } = useWorld()
  const [chosen, setChosen] = useState<string | null>(only)
  const engine = engines.find(({ name }) => name === chosen)?.name ?? engines[0]?.name ?? null
  const [cursor, setCursor] = useState<{ at: string | null; count: number }>({ at: null, count: 0 })
  const place = useRef(cursor)
  place.current = cursor
  const log = useFollowed(engine ?? '', async () => {
    if (engine === null) return []
    const { at, count } = place.current
    const told = await client.commands.engineLog(at === null ? { engine, lines: 2000 } : { engine, after: at })
    const cut: LogLine[] = told.skipped
      ? [{ number: count + 1, time: '', level: '', text: t('log.skipped'), severity: 'info', cut: true }]
      : []
    const lines = told.lines.map((text, i) => engineLine(text, count + cut.length + i + 1))
    setCursor({ at: told.cursor, count: count + cut.length + lines.length })
    return [...cut, ...lines]
  })
  if (engine === null) return <Empty title={t('log.noEngine')}>{t('start.noEngineWhy')}</Empty>
  const choose = (name: string): void => {
    setCursor({ at: null, count: 0 })
    setChosen(name)
  }
  const select =
    engines.length > 1 && only === null ? (
      <Select
        label={t('log.engine')}
        value={engine}
        onChange={choose}
        options={engines.map(({ name }) => ({ value: name, label: name }))}
      />
    ) : null
  return <LogPane key={engine} log={log} before={select} />
}

/** What Lexora itself has to say. */
export function GatewayLogView() {
  const t = useT()
  const { client } = useWorld()
  const next = useRef<number | null>(null)
  const log = useFollowed('gateway', async () => {
    const after = next.current
    const told = await client.commands.gatewayLog(after === null ? { lines: 5000 } : { after, lines: 5000 })
    next.current = told.next
    const cut: LogLine[] =
      told.missed > 0
        ? [
            {
              number: told.next,
              time: '',
              level: '',
              text: t('log.missed', { count: number(told.missed) }),
              severity: 'info',
              cut: true,
            },
          ]
        : []
    const lines = told.entries.map(({ seq, at, level, message, details }): LogLine => {
      const severity = level === 'ERROR' ? 'error' : level === 'WARNING' ? 'warning' : 'info'
      return {
        number: seq,
        time: clock(at),
        level,
        text: details === '' ? message : `${message}  ${details}`,
        severity,
      }
    })
    return [...cut, ...lines]
  })
  return <LogPane log={log} before={null} />
}

type Followed = { lines: readonly LogLine[] | null; failed: string | null }

/** Asks for what is new while it is on the screen. Another key begins anew. */
function useFollowed(key: string, ask: () => Promise<LogLine[]>): Followed {
  const [log, setLog] = useState<Followed & { key: string }>({ key, lines: null, failed: null })
  const { link } = useWorld()
  const isLive = useStore(link).is === 'live'
  const latest = useRef(ask)
  latest.current = ask
  useEffect(() => {
    if (!isLive || key === '') return
    let [ended, busy] = [false, false]
    const look = async (): Promise<void> => {
      if (busy || document.visibilityState === 'hidden') return
      busy = true
      try {
        const news = await latest.current()
        if (ended) return
        setLog((before) => {
          const lines = appendLines(before.key === key ? (before.lines ?? []) : [], news)
          return lines === before.lines && before.failed === null ? before : { key, lines, failed: null }
        })
      } catch (error) {
        if (!ended) setLog((before) => ({ ...before, failed: reasonOf(error) }))
      } finally {
        busy = false
      }
    }
    void look()
    const timer = setInterval(() => void look(), LOOK_MS)
    return () => {
      ended = true
      clearInterval(timer)
    }
  }, [key, isLive])
  return log.key === key ? log : { lines: null, failed: null }
}

function LogPane({ log: { lines, failed }, before }: { log: Followed; before: React.ReactNode }) {
  const t = useT()
  const copy = useCopy()
  const [severity, setSeverity] = useState<LogFilter['severity']>('all')
  const [text, setText] = useState('')
  const [follow, setFollow] = useState(true)
  const [wrap, setWrap] = useState(false)
  const [hit, setHit] = useState(0)
  const search = useMemo(() => searchOf(text), [text])
  const shown = useMemo(
    () => (severity === 'all' ? (lines ?? []) : (lines ?? []).filter((line) => passes(line, severity))),
    [lines, severity],
  )
  const hits = useMemo(
    () => (search instanceof RegExp ? shown.flatMap((line, i) => (search.test(line.text) ? [i] : [])) : []),
    [shown, search],
  )
  const counts = useMemo(() => {
    let [warnings, errors] = [0, 0]
    for (const line of lines ?? []) {
      if (line.severity === 'warning') warnings++
      else if (line.severity === 'error') errors++
    }
    return { warnings, errors }
  }, [lines])
  const input = useRef<HTMLInputElement>(null)
  const go = (by: number): void => {
    if (hits.length === 0) return
    setFollow(false)
    setHit((at) => (at + by + hits.length) % hits.length)
  }
  const onKey = (event: KeyboardEvent): void => {
    const types = event.target instanceof HTMLInputElement
    if (types && event.key === 'Enter') {
      event.preventDefault()
      return go(event.shiftKey ? -1 : 1)
    }
    if (types && event.key === 'Escape') return setText('')
    if (types || event.target instanceof HTMLButtonElement) return
    if (event.key === ' ') {
      event.preventDefault()
      setFollow(!follow)
    } else if (event.key === '/') {
      event.preventDefault()
      input.current?.focus()
    } else if (event.key === 'n') go(1)
    else if (event.key === 'N') go(-1)
    else if (event.key === 'End') setFollow(true)
  }
  const at = hits.length === 0 ? null : hits[Math.min(hit, hits.length - 1)]!
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys for all of the log
    <div className="fill-col" onKeyDown={onKey}>
      <div className="bar line-b log-bar">
        {before}
        <Segmented
          label={t('log.severity')}
          value={severity}
          onChange={setSeverity}
          options={[
            { value: 'all', label: t('log.all') },
            { value: 'warning', label: t('log.warnings', { count: number(counts.warnings) }) },
            { value: 'error', label: t('log.errors', { count: number(counts.errors) }) },
          ]}
        />
        <div className={`field field-small log-search${search === 'bad' ? ' is-bad' : ''}`}>
          <Icon name="search" />
          <input
            ref={input}
            data-filter=""
            className="small mono"
            aria-label={t('log.search')}
            placeholder={t('log.search')}
            value={text}
            onChange={(event) => {
              setText(event.target.value)
              setHit(0)
            }}
          />
        </div>
        <span className="small dim nowrap log-found" role="status">
          {search === 'bad' ? (
            <span className="bad">{t('log.badRegex')}</span>
          ) : search === null ? (
            ''
          ) : hits.length === 0 ? (
            t.count('log.found', 0)
          ) : (
            t('log.place', { place: number(Math.min(hit, hits.length - 1) + 1), count: number(hits.length) })
          )}
        </span>
        <IconButton icon="up" label={t('log.previous')} onClick={() => go(-1)} />
        <IconButton icon="down" label={t('log.next')} onClick={() => go(1)} />
        <span className="grow" />
        <span className="small dim nowrap wide">
          {t.count('log.lines', shown.length, { count: number(shown.length) })}
        </span>
        <IconButton
          icon="copy"
          label={t('log.copy')}
          onClick={() =>
            copy(shown.map((line) => [line.time, line.level, line.text].filter(Boolean).join(' ')).join('\n'))
          }
        />
        <span className="row tight small">
          {t('log.wrap')}
          <Switch label={t('log.wrap')} checked={wrap} onChange={setWrap} />
        </span>
        <span className="row tight small">
          {t('log.follow')}
          <Switch label={t('log.follow')} checked={follow} onChange={setFollow} />
        </span>
      </div>
      {failed !== null && lines === null ? (
        <Empty bad title={t('log.failed')}>
          {failed}
        </Empty>
      ) : lines === null ? (
        <Skeleton rows={12} height={LINE_HEIGHT} widths={[8, 6, 60]} />
      ) : shown.length === 0 ? (
        <Empty title={lines.length === 0 ? t('log.none') : t('log.noneFits')}>
          {lines.length === 0 ? t('log.noneWhy') : undefined}
        </Empty>
      ) : (
        <Lines
          lines={shown}
          search={search instanceof RegExp ? search : null}
          at={at}
          follow={follow}
          wrap={wrap}
          onFollow={setFollow}
        />
      )}
    </div>
  )
}

type LinesProps = {
  lines: readonly LogLine[]
  search: RegExp | null
  at: number | null
  follow: boolean
  wrap: boolean
  onFollow: (follow: boolean) => void
}

function Lines({ lines, search, at, follow, wrap, onFollow }: LinesProps) {
  const t = useT()
  const box = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_HEIGHT,
    overscan: 20,
    getItemKey: (index) => lines[index]!.number,
  })
  useEffect(() => {
    if (follow) virtual.scrollToIndex(lines.length - 1, { align: 'end' })
  }, [follow, lines, virtual])
  useEffect(() => {
    if (at !== null) virtual.scrollToIndex(at, { align: 'center' })
  }, [at, virtual])
  const onWheel = (deltaY: number): void => {
    if (deltaY < 0 && follow) onFollow(false)
  }
  const onKey = (event: KeyboardEvent): void => {
    if (['PageUp', 'ArrowUp', 'Home'].includes(event.key)) onFollow(false)
  }
  return (
    <div
      ref={box}
      className={`log log-scroll fill${wrap ? ' is-wrapped' : ''}`}
      role="log"
      aria-live="off"
      aria-label={t('log.label')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by keys
      tabIndex={0}
      onWheel={(event) => onWheel(event.deltaY)}
      onKeyDown={onKey}
    >
      <div style={{ height: virtual.getTotalSize(), position: 'relative', display: 'block', padding: 0 }}>
        {virtual.getVirtualItems().map(({ index, start, key }) => (
          <div
            key={key}
            ref={wrap ? virtual.measureElement : undefined}
            data-index={index}
            className={`log-line ${SEVERITY_CLASS[lines[index]!.severity]}${index === at ? ' is-hit' : ''}`}
            style={{ transform: `translateY(${start}px)` }}
          >
            <LineText line={lines[index]!} search={search} />
          </div>
        ))}
      </div>
    </div>
  )
}

const SEVERITY_CLASS = { error: 'e', warning: 'w', info: '' } as const

const LineText = memo(function LineText({ line, search }: { line: LogLine; search: RegExp | null }) {
  if (line.cut === true) return <span className="cut">{line.text}</span>
  return (
    <>
      <time>{line.time}</time>
      <span>{line.level}</span>
      <span>
        {search === null
          ? line.text
          : // biome-ignore lint/suspicious/noArrayIndexKey: pieces of one text, in their order
            pieces(line.text, search).map(({ text, hit }, i) => (hit ? <mark key={i}>{text}</mark> : text))}
      </span>
    </>
  )
})
