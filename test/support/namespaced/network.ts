/** Runs where it has a network of its own: what `lan check` finds there, and how somebody else's wrong keys end. */
import { request } from 'node:http'
import type { UserView } from '../../../src/protocol/users.ts'
import { command, startWith } from './lexora.ts'
import { HERE, OUTSIDE } from './run.ts'

const [home = ''] = process.argv.slice(2)
const KEYS = ['sk-first-0123456789', 'sk-second-0123456789']

const lexora = await startWith(
  home,
  `server: {host: [127.0.0.1, ${HERE}], port: 0}
auth: {api_keys: [${KEYS.join(', ')}, {key: sk-of-ann-0123456789, user: ann}]}
metrics: {request_log: {enabled: false}}
routing: {enabled: true, backends: {first: {type: dummy, models: [m]}}}
`,
)

/** The status, and how long to wait, for one who comes from that address on a connection of his own. */
async function ask(key: string, localAddress: string, chat?: object): Promise<[number, boolean]> {
  return await new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const what = chat === undefined ? { path: '/v1/models' } : { path: '/v1/chat/completions', method: 'POST' }
    const sent = request({ host: HERE, port: lexora.port, ...what, localAddress, headers, agent: false }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve([answer.statusCode!, Number(answer.headers['retry-after']) > 0]))
    })
    sent.once('error', reject)
    sent.end(chat === undefined ? undefined : JSON.stringify(chat))
  })
}

try {
  const report = JSON.parse(await command(home, ['lan', 'check', '--key', KEYS[0]!, '--json'])) as unknown
  const right = await ask(KEYS[0]!, OUTSIDE)
  const callers = []
  for (const from of [OUTSIDE, HERE]) {
    const chat = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] }
    const [status] = await ask('sk-of-ann-0123456789', from, chat)
    const { users } = JSON.parse(await command(home, ['users', '--json'])) as { users: UserView[] }
    callers.push([status, users.find(({ name }) => name === 'ann')?.lastFrom])
  }
  const wrong = []
  for (let i = 0; i < 11; i++) wrong.push(await ask(`sk-wrong-${i}`, OUTSIDE))
  const after = {
    'another right key': await ask(KEYS[1]!, OUTSIDE),
    'the right key of before': await ask(KEYS[0]!, OUTSIDE),
    'a program of this machine': await ask(KEYS[1]!, HERE),
    'a wrong key of this machine': await ask('sk-wrong', HERE),
  }
  console.log(JSON.stringify({ report, right, wrong, after, callers }))
} finally {
  await lexora.stop()
}
