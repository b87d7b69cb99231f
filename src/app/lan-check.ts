import { networkInterfaces } from 'node:os'
import { Agent, request } from 'undici'
import type { Answer, LanAddress, LanReport } from '../protocol/lan.ts'

/** What an outsider would try. */
const PATHS = ['/healthz', '/v1/models', '/metrics', '/admin/snapshot', '/ui/'] as const
const ANSWER_MS = 3000
const CONTAINERS = /^(docker|br-|podman|cni|virbr|lxc|vmnet)/

/** Asks Lexora through every address of this machine, as somebody else would. */
export async function checkLan(asked: {
  port: number
  secure: boolean
  key: string | null
  interfaces?: ReturnType<typeof networkInterfaces>
}): Promise<LanReport> {
  const { port, secure, key } = asked
  const found = Object.entries(asked.interfaces ?? networkInterfaces()).flatMap(([name, all]) =>
    // A link-local address is of no use without its zone.
    (all ?? []).filter(({ address }) => !address.startsWith('fe80')).map((one) => ({ name, ...one })),
  )
  const agent = new Agent({ connect: { rejectUnauthorized: false, timeout: ANSWER_MS } })
  try {
    const addresses = await Promise.all(
      found.map(async ({ name, address, family, internal }): Promise<LanAddress> => {
        const origin = `http${secure ? 's' : ''}://${family === 'IPv6' ? `[${address}]` : address}:${port}`
        const say = async (path: string, bearer: string | null): Promise<Answer> =>
          await ask(agent, origin + path, bearer)
        const open = Object.fromEntries(
          await Promise.all(PATHS.map(async (path) => [path, await say(path, null)] as const)),
        )
        const reach = internal ? 'this machine' : CONTAINERS.test(name) ? 'containers' : 'the network'
        return { address, interface: name, reach, open, withKey: key === null ? null : await say('/v1/models', key) }
      }),
    )
    return { port, addresses, advice: lanAdvice(addresses, port) }
  } finally {
    await agent.destroy()
  }
}

/** What to do about what was found. */
export function lanAdvice(addresses: readonly LanAddress[], port: number): string[] {
  const outside = addresses.filter(({ reach }) => reach !== 'this machine')
  const answering = outside.filter(({ open }) => typeof open['/healthz'] === 'number')
  const keyless = answering.filter(({ open }) => open['/v1/models'] === 200)
  const advice: string[] = []
  for (const { address } of keyless)
    advice.push(
      `${address}: anybody who reaches it can use the models without a key. Set auth.mode: auto and make keys: lexora keys create`,
    )
  for (const { address, open } of answering)
    if (open['/admin/snapshot'] === 200)
      advice.push(`${address}: the admin API answers without a key. Stop Lexora and report this.`)
  const network = outside.find(({ reach }) => reach === 'the network')
  const containers = outside.find(({ reach }) => reach === 'containers')
  if (network !== undefined && !answering.some(({ reach }) => reach === 'the network')) {
    advice.push(
      `Nobody in the network reaches it. To serve colleagues: lexora keys create USER, then lexora config set server.host '[127.0.0.1, ${network.address}]'`,
    )
  }
  if (containers !== undefined && !answering.includes(containers)) {
    advice.push(
      `Containers do not reach it. To serve them: lexora config set server.host '[127.0.0.1, ${containers.address}]'; they call http://${containers.address}:${port}/v1 with a key`,
    )
  }
  if (answering.some(({ reach }) => reach === 'the network')) {
    advice.push(
      `It answers here; whether others come through depends on the firewall of this machine. For ufw: ufw allow proto tcp from NETWORK to any port ${port}; for firewalld: firewall-cmd --add-port=${port}/tcp`,
    )
  }
  return advice
}

async function ask(agent: Agent, url: string, key: string | null): Promise<Answer> {
  try {
    const headers = key === null ? {} : { authorization: `Bearer ${key}` }
    const { statusCode, body } = await request(url, {
      dispatcher: agent,
      headers,
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    await body.dump()
    return statusCode
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException
    return code === 'ECONNREFUSED' ? 'closed' : (code ?? name)
  }
}
