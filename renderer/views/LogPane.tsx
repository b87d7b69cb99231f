import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, memo, useEffect, useMemo, useRef, useState } from 'react'
import { download, useCopy } from '../actions.ts'
import { Icon } from '../components/Icon.tsx'
import { Banner, Empty, IconButton, Menu, Segmented, Skeleton, Switch } from '../components/kit.tsx'
import { number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import {
  type LogFilter,
  type LogLine,
  logText,
  matching,
  passes,
  pieces,
  placesOf,
  searchOf,
  sinceLastStart,
} from '../view-models/log.ts'

const LINE_HEIGHT = 18

/** `lines` null: none was read yet; `failed`: why the last reading came to nothing. */
export type Followed = { lines: readonly LogLine[] | null; failed: string | null }

type LogPaneProps = { log: Followed; name: string; before: React.ReactNode; cap: string; opensAtError?: boolean }

/** One log to search, filter, follow and copy. `before`: what stands ahead of its tools; `cap`: how much of it is kept. */
export function LogPane({ log: { lines, failed }, name, before, cap, opensAtError = false }: LogPaneProps) {
  const t = useT()
  const copy = useCopy()
  const [severity, setSeverity] = useState<LogFilter['severity']>('all')
  const [text, setText] = useState('')
  const [follow, setFollow] = useState(true)
  const [wrap, setWrap] = useState(false)
  const [hit, setHit] = useState(0)
  const [jumped, setJumped] = useState<number | null>(null)
  const [since, setSince] = useState(false)
  const [only, setOnly] = useState(false)
  const seen = useRef<{ from: number; to: number }>({ from: 0, to: 0 })
  const recent = useMemo(() => sinceLastStart(lines ?? []), [lines])
  const base = since && recent !== null ? recent : (lines ?? [])
  const search = useMemo(() => searchOf(text), [text])
  const shown = useMemo(
    () => matching(severity === 'all' ? base : base.filter((line) => passes(line, severity)), search, only),
    [base, severity, search, only],
  )
  const hits = useMemo(
    () => (search instanceof RegExp ? shown.flatMap((line, i) => (search.test(line.text) ? [i] : [])) : []),
    [shown, search],
  )
  const counts = useMemo(() => {
    let [warnings, errors] = [0, 0]
    for (const line of base) {
      if (line.severity === 'warning') warnings++
      else if (line.severity === 'error') errors++
    }
    return { warnings, errors }
  }, [base])
  const places = useMemo(() => placesOf(base), [base])
  const input = useRef<HTMLInputElement>(null)
  const go = (by: number): void => {
    if (hits.length === 0) return
    setFollow(false)
    setJumped(null)
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
  const jumpedTo = jumped === null ? -1 : shown.findIndex(({ number }) => number === jumped)
  const found = hits.length === 0 ? null : hits[Math.min(hit, hits.length - 1)]!
  const at = jumpedTo === -1 ? found : jumpedTo
  const jump = ({ number }: LogLine): void => {
    setFollow(false)
    setJumped(number)
  }
  const opened = useRef(!opensAtError)
  useEffect(() => {
    if (opened.current || lines === null) return
    opened.current = true
    const error = (sinceLastStart(lines) ?? lines).find(({ severity }) => severity === 'error')
    if (error === undefined) return
    setFollow(false)
    setJumped(error.number)
  }, [lines])
  const save = (kept: readonly LogLine[]): void =>
    download(`lexora-${name}-log-${new Date().toISOString().slice(0, 10)}.txt`, logText(kept), 'text/plain')
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
            placeholder={t('log.searchShort')}
            value={text}
            onChange={(event) => {
              setText(event.target.value)
              setHit(0)
              setJumped(null)
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
        {search instanceof RegExp && (
          <button
            type="button"
            className="btn btn-quiet btn-small nowrap"
            aria-pressed={only}
            onClick={() => setOnly(!only)}
          >
            {t('log.only')}
          </button>
        )}
        <Menu
          label={t('log.jump')}
          trigger={t('log.jump')}
          entries={
            places.length === 0
              ? [{ label: t('log.noPlaces'), disabled: true, onClick: () => undefined }]
              : places.map(({ what, line }) => ({
                  label:
                    what !== 'start'
                      ? t(`log.${what}`)
                      : line.time === ''
                        ? t('log.startAtLine', { line: number(line.number) })
                        : t('log.startAt', { time: line.time }),
                  onClick: () => jump(line),
                }))
          }
        />
        {recent !== null && (
          <button
            type="button"
            className="btn btn-quiet btn-small nowrap"
            aria-pressed={since}
            onClick={() => setSince(!since)}
          >
            {t('log.sinceStart')}
          </button>
        )}
        <span className="grow" />
        <span className="small dim nowrap wide">
          {t.count('log.lines', shown.length, { count: number(shown.length) })}
        </span>
        <IconButton icon="copy" label={t('log.copy')} onClick={() => copy(logText(shown))} />
        <Menu
          label={t('log.save')}
          className="btn btn-quiet btn-icon btn-small"
          trigger={<Icon name="save" />}
          entries={[
            {
              label: t('log.saveShown', { count: number(shown.length) }),
              disabled: shown.length === 0,
              onClick: () => save(shown),
            },
            {
              label: t('log.saveSeen'),
              disabled: shown.length === 0,
              onClick: () => save(shown.slice(seen.current.from, seen.current.to)),
            },
            {
              label: t('log.saveHits', { count: number(hits.length) }),
              disabled: hits.length === 0,
              onClick: () => save(hits.map((index) => shown[index]!)),
            },
          ]}
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
      {failed !== null && lines !== null && (
        <Banner look="warn">
          {t('log.reconnecting', { line: number(lines.at(-1)?.number ?? 0), reason: t.said(failed) })}
        </Banner>
      )}
      {failed !== null && lines === null ? (
        <Empty bad title={t('log.failed')}>
          {t.said(failed)}
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
          seen={seen}
        />
      )}
      <p className="small dim live-note">{cap}</p>
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
  /** Told which lines are on the screen. */
  seen: { current: { from: number; to: number } }
}

function Lines({ lines, search, at, follow, wrap, onFollow, seen }: LinesProps) {
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
  useEffect(() => {
    const range = virtual.range
    seen.current = { from: range?.startIndex ?? 0, to: (range?.endIndex ?? -1) + 1 }
  })
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
