/** Runs where it has a network of its own: what `lan check` finds there, and how somebody else's wrong keys end. */
import { request } from 'node:http'
import { command, startWith } from './lexora.ts'
import { HERE, OUTSIDE } from './run.ts'

const [home = ''] = process.argv.slice(2)
const KEYS = ['sk-first-0123456789', 'sk-second-0123456789']

const lexora = await startWith(
  home,
  `server: {host: [127.0.0.1, ${HERE}], port: 0}
auth: {api_keys: [${KEYS.join(', ')}]}
metrics: {request_log: {enabled: false}}
routing: {enabled: true, backends: {first: {type: dummy, models: [m]}}}
`,
)

/** The status, and how long to wait, for one who comes from that address on a connection of his own. */
async function ask(key: string, localAddress: string): Promise<[number, boolean]> {
  return await new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` }
    const to = { host: HERE, port: lexora.port, path: '/v1/models', localAddress, headers, agent: false }
    const sent = request(to, (answer) => {
      answer.resume()
      answer.on('end', () => resolve([answer.statusCode!, Number(answer.headers['retry-after']) > 0]))
    })
    sent.once('error', reject)
    sent.end()
  })
}

try {
  const report = JSON.parse(await command(home, ['lan', 'check', '--key', KEYS[0]!, '--json'])) as unknown
  const right = await ask(KEYS[0]!, OUTSIDE)
  const wrong = []
  for (let i = 0; i < 11; i++) wrong.push(await ask(`sk-wrong-${i}`, OUTSIDE))
  const after = {
    'another right key': await ask(KEYS[1]!, OUTSIDE),
    'the right key of before': await ask(KEYS[0]!, OUTSIDE),
    'a program of this machine': await ask(KEYS[1]!, HERE),
    'a wrong key of this machine': await ask('sk-wrong', HERE),
  }
  console.log(JSON.stringify({ report, right, wrong, after }))
} finally {
  await lexora.stop()
}
