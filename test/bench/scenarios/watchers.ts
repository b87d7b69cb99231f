import { get } from 'node:http'
import { lexoraIsBuilt, startLexora } from '../lexora-process.ts'
import { type Bench, type Measured, pause, until } from '../measure.ts'
import { ownMicroseconds } from '../procfs.ts'

const WATCHERS = 20
const ADMIN_KEY = 'bench-admin-0123456789'
const WINDOW_MS = 12_000
/** So that every snapshot differs from the one before. */
const ASK_EVERY_MS = 200

/** What twenty windows that watch cost, while requests change what they see: the difference to nobody watching. */
export async function watchers({ settings }: Bench): Promise<Measured> {
  if (!lexoraIsBuilt()) return { rows: [], notes: [] }
  const lexora = await startLexora({
    config: {
      auth: { admin_key: ADMIN_KEY },
      routing: { enabled: true, backends: { first: { type: 'dummy', models: ['m'] } } },
    },
  })
  const url = `http://127.0.0.1:${lexora.port}`
  const asking = setInterval(() => void askOnce(url).catch(() => {}), ASK_EVERY_MS)
  const open: (() => void)[] = []
  try {
    const windowMs = settings.rounds > 2 ? WINDOW_MS : WINDOW_MS / 3
    await pause(settings.settleMs)
    const alone = await percent(lexora.pid, windowMs)
    const counts = { events: 0 }
    for (let i = 0; i < WATCHERS; i++) open.push(watch(lexora.port, counts))
    await until(
      'twenty watchers',
      async () => counts.events,
      (events) => events >= WATCHERS,
      10_000,
    )
    await pause(settings.settleMs)
    const before = counts.events
    const watched = await percent(lexora.pid, windowMs)
    const perSecond = ((counts.events - before) * 1000) / windowMs / WATCHERS
    return {
      rows: [{ target: 'lexora', figures: { watchersPercent: watched - alone, eventsPerSecond: perSecond } }],
      notes: [`${WATCHERS} watchers; ${alone.toFixed(2)} % of a core without them, ${watched.toFixed(2)} % with them`],
    }
  } finally {
    clearInterval(asking)
    for (const close of open) close()
    await lexora.stop()
  }
}

async function percent(pid: number, windowMs: number): Promise<number> {
  const before = ownMicroseconds([pid])
  await pause(windowMs)
  return (ownMicroseconds([pid]) - before) / (windowMs * 10)
}

async function askOnce(url: string): Promise<void> {
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hello' }] })
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  await answer.text()
}

function watch(port: number, counts: { events: number }): () => void {
  const headers = { authorization: `Bearer ${ADMIN_KEY}` }
  const request = get({ host: '127.0.0.1', port, path: '/admin/events', headers, agent: false }, (answer) => {
    answer.on('data', (chunk: Buffer) => {
      if (chunk.includes('event: snapshot')) counts.events++
    })
    answer.on('error', () => {})
  })
  request.on('error', () => {})
  return () => void request.destroy()
}
