/** Runs where it has a network of its own: the door to the network closes while others and this machine have answers on their way. */
import { connect } from 'node:net'
import { command, startWith } from './lexora.ts'
import { HERE, OUTSIDE } from './run.ts'

const [home = ''] = process.argv.slice(2)
const KEY = 'sk-first-0123456789'
const lexora = await startWith(
  home,
  `server: {host: 0.0.0.0, port: 0}
auth: {api_keys: [${KEY}]}
metrics: {request_log: {enabled: false}}
routing: {enabled: true, backends: {first: {type: dummy, models: [m]}}}
`,
)

/** A connection to `host` that is known to be served, and everything that came on it. */
async function open(host: string, localAddress: string) {
  const socket = connect({ host, port: lexora.port, localAddress })
  let text = ''
  socket.on('error', () => {})
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)))
  const ask = async (): Promise<number> => {
    const before = text.length
    socket.write(`GET /v1/models HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${KEY}\r\n\r\n`)
    // The list ends the document.
    while (!socket.destroyed && !text.slice(before).endsWith(']}')) await once()
    return Number(text.slice(before).split(' ')[1] ?? 0)
  }
  const once = async (): Promise<void> =>
    await new Promise((resolve) => {
      socket.once('data', () => resolve()).once('close', () => resolve())
    })
  socket.on('data', (chunk) => (text += chunk.toString()))
  return { ask, closed }
}

const reaches = async (host: string): Promise<boolean> =>
  await new Promise((resolve) => {
    const socket = connect({ host, port: lexora.port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

try {
  const others = await open(HERE, OUTSIDE)
  const own = await open('127.0.0.1', '127.0.0.1')
  const before = [await others.ask(), await own.ask()]
  const said = await command(home, ['config', 'set', 'server.host', '127.0.0.1', '--json'])
  const { pendingRestart } = JSON.parse(said) as { pendingRestart: string[] }
  const now = { network: await reaches(HERE), own: await reaches('127.0.0.1') }
  await others.closed
  const after = { others: await others.ask(), own: await own.ask() }
  console.log(JSON.stringify({ before, pendingRestart, now, after }))
} finally {
  await lexora.stop()
}
