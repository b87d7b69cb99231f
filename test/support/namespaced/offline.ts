/** Runs where it has a network of its own: whether anything leaves this machine while Lexora works offline. */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { command, startWith } from './lexora.ts'
import { NOBODY } from './run.ts'

const [home = ''] = process.argv.slice(2)
/** Several looks whether a backend is well, of one that is down too. */
const WATCHED_MS = 5000

/** What this machine has sent over its card since it has one, and all that asked for somebody there. */
function sent(): number {
  const [, counts = ''] = /^\s*lx0:(.*)$/m.exec(readFileSync('/proc/net/dev', 'utf8')) ?? []
  return Number(counts.trim().split(/\s+/)[9])
}

async function sentMeanwhile(work: () => Promise<unknown>): Promise<number> {
  const before = sent()
  await work()
  await pause(WATCHED_MS)
  return sent() - before
}

async function ask(): Promise<[status: number, code: string]> {
  const answer = await fetch(`http://127.0.0.1:${lexora.port}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'far', messages: [{ role: 'user', content: 'hi' }] }),
  })
  const { error } = (await answer.json()) as { error: { code: string } }
  return [answer.status, error.code]
}

const lexora = await startWith(
  home,
  `server: {port: 0}
metrics: {request_log: {enabled: false}}
retry: {max_retries: 0}
routing: {enabled: true, backends: {far: {url: "http://${NOBODY}:8000", models: [far], connect_timeout: 1}}}
`,
)
process.env['HF_ENDPOINT'] = `http://${NOBODY}:9000`

try {
  const online = await sentMeanwhile(ask)
  const told = await command(home, ['config', 'set', 'privacy.offline', 'true'])
  // What was under way may still be giving up.
  await pause(2000)
  let answer: unknown
  const offline = await sentMeanwhile(async () => {
    answer = await ask()
    await command(home, ['pull', 'acme/tiny'])
    await command(home, ['fit', 'acme/tiny'])
  })
  const list = JSON.parse(await command(home, ['outbound', '--json'])) as unknown
  await command(home, ['config', 'set', 'privacy.offline', 'false'])
  const again = await sentMeanwhile(ask)
  console.log(JSON.stringify({ online, told, offline, answer, list, again }))
} finally {
  await lexora.stop()
}
