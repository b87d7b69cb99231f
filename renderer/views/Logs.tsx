import { useEffect, useRef, useState } from 'react'
import { ENGINE_LOG } from '../../src/protocol/engine.ts'
import { GATEWAY_LOG_LINES } from '../../src/protocol/gateway-log.ts'
import { Empty, Select } from '../components/kit.tsx'
import { clock, gigabytes, number } from '../format.ts'
import { useT } from '../i18n/index.ts'
import { useStore } from '../store.ts'
import { useSnapshot, useWorld } from '../stores.ts'
import { appendLines, engineLine, type LogLine, reasonOf } from '../view-models/log.ts'
import { type Followed, LogPane } from './LogPane.tsx'

const LOOK_MS = 500

type EngineLogProps = { only?: string | null; at?: { engine: string; isError: boolean } | null }

/** What an engine prints, also when it is gone. `only`: of no other one. `at`: where it opens. */
export function EngineLogView({ only = null, at = null }: EngineLogProps) {
  const t = useT()
  const { engines } = useSnapshot()
  const { client } = useWorld()
  const [chosen, setChosen] = useState<string | null>(only ?? at?.engine ?? null)
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
  const opensAt = at?.isError === true && at.engine === engine
  const cap = t('log.capFiles', { files: ENGINE_LOG.files, size: gigabytes(ENGINE_LOG.bytes) })
  return <LogPane key={engine} name={engine} log={log} before={select} cap={cap} opensAtError={opensAt} />
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
  return (
    <LogPane name="gateway" log={log} before={null} cap={t('log.capLines', { count: number(GATEWAY_LOG_LINES) })} />
  )
}

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
