/** Runs where its folder is a disk of two megabytes: fills it, and makes it read-only, while Lexora serves. */
import { execFileSync } from 'node:child_process'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startIn, startWith } from './lexora.ts'

const [home = ''] = process.argv.slice(2)
const ballast = join(home, 'ballast')
const KEY = 'an-admin-key-0123456789'
let lexora = await startWith(
  home,
  `server: {port: 0}\nauth: {admin_key: ${KEY}}\nrouting: {enabled: true, backends: {first: {type: dummy, models: [m]}}}\n`,
)
const url = (): string => `http://127.0.0.1:${lexora.port}`

async function post(path: string, body: object, key = ''): Promise<number> {
  const headers = { 'content-type': 'application/json', ...(key === '' ? {} : { authorization: `Bearer ${key}` }) }
  const answer = await fetch(url() + path, { method: 'POST', headers, body: JSON.stringify(body) })
  await answer.text()
  return answer.status
}

const chat = (): Promise<number> => post('/v1/chat/completions', { model: 'm', messages: [] })
const user = (name: string): Promise<number> => post('/admin/users/create', { name, note: 'x'.repeat(900) }, KEY)

async function look() {
  const { status, reasons } = (await (await fetch(`${url()}/health`)).json()) as { status: string; reasons: string[] }
  return { status, reasons }
}

/** Once all that waited is written: a log that could not be is tried again a moment later. */
async function lookWhenWell() {
  let health = await look()
  for (let i = 0; i < 200 && health.status !== 'healthy'; i++) {
    await chat()
    await pause(50)
    health = await look()
  }
  return health
}

/** Users until one is refused, a hundred at most; what the refusal was. */
async function usersUntilRefused(prefix: string): Promise<number> {
  for (let i = 0; i < 100; i++) {
    const status = await user(`${prefix}-${i}`)
    if (status !== 200) return status
  }
  return 200
}

try {
  const before = { chat: await chat(), user: await user('before'), health: await look() }
  const { bavail, bsize } = statfsSync(home)
  writeFileSync(ballast, Buffer.alloc(Number(bavail) * Number(bsize)))
  const full = { user: await usersUntilRefused('full'), chat: await chat(), health: await look() }
  rmSync(ballast)
  const freed = { user: await user('freed'), chat: await chat(), health: await lookWhenWell() }
  await lexora.stop()
  execFileSync('mount', ['-o', 'remount,ro', home])
  lexora = await startIn(home)
  const readOnly = { user: await usersUntilRefused('ro'), chat: await chat(), health: await look() }
  console.log(JSON.stringify({ before, full, freed, readOnly }))
} finally {
  await lexora.stop()
}
