import type { Config } from '../protocol/config.ts'
import { isEveryHost, isLoopbackHost } from '../protocol/hosts.ts'
import { say } from '../protocol/sentence.ts'
import { adaptersOf } from './adapters.ts'
import { didYouMean, type Finding } from './issues.ts'

/** What no key shows alone: dangling names, loops, clashing ports, sums. `explicit` holds the paths that were set. */
export function* contradictions(config: Config, explicit: ReadonlySet<string>): Generator<Finding> {
  yield* backendReferences(config)
  yield* aliasLoops(config)
  yield* portClashes(config)
  yield* pointingAtItself(config, explicit.has('vllm'))
  yield* incompleteEngines(config)
  yield* repeatedKeys(config)
  if (config.telemetry.otlp !== null) {
    const message = say('traces are not built in: nothing would be sent there; remove it (figures are at /metrics)')
    yield { path: ['telemetry', 'otlp'], message }
  }
  const { normal, low } = config.queue.guarantee
  if (normal + low > 1) yield { path: ['queue', 'guarantee'], message: say('the shares must add up to at most 1') }
}

function* backendReferences({ routing, engines }: Config): Generator<Finding> {
  // An engine stands in routing under its own name.
  const names = [...Object.keys(routing.backends), ...Object.keys(engines)]
  const known = names.length ? `known: ${names.join(', ')}` : 'routing.backends is empty'
  const unknown = (name: string) => `no backend "${name}"; ${known}${didYouMean(name, names)}`
  if (routing.enabled && names.length === 0) {
    yield { path: ['routing', 'enabled'], message: say('needs at least one entry in routing.backends') }
  }
  if (routing.default_backend !== null && !names.includes(routing.default_backend)) {
    yield { path: ['routing', 'default_backend'], message: unknown(routing.default_backend) }
  }
  for (const [name, backend] of Object.entries(routing.backends)) {
    const path = ['routing', 'backends', name]
    if (backend.url === null && backend.type !== 'dummy') {
      yield { path: [...path, 'url'], message: URL_MISSING }
    }
    for (const [index, other] of backend.fallback_backends.entries()) {
      const at = [...path, 'fallback_backends', index]
      if (other === name) yield { path: at, message: say('a backend cannot be its own fallback; remove it') }
      else if (!names.includes(other)) yield { path: at, message: unknown(other) }
    }
  }
}

const URL_MISSING = say('is missing: the base address before /v1, as in "http://127.0.0.1:8000"')

function* aliasLoops({ routing }: Config): Generator<Finding> {
  const targets = (alias: string): string[] => {
    const to = Object.hasOwn(routing.aliases, alias) ? routing.aliases[alias]! : []
    return typeof to === 'string' ? [to] : to.map(({ model }) => model)
  }
  for (const alias of Object.keys(routing.aliases)) {
    const seen = new Set<string>()
    const open = targets(alias)
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue
      seen.add(next)
      open.push(...targets(next))
    }
    if (seen.has(alias))
      yield { path: ['routing', 'aliases', alias], message: say('leads back to itself; name a model') }
  }
  if (routing.auto.enabled && Object.hasOwn(routing.aliases, 'auto')) {
    yield { path: ['routing', 'aliases', 'auto'], message: say('this name is taken while routing.auto.enabled') }
  }
}

function* portClashes({ server, metrics, engines }: Config): Generator<Finding> {
  const listeners: { path: string[]; port: number | null }[] = [
    { path: ['server', 'port'], port: server.port },
    { path: ['metrics', 'port'], port: metrics.port },
    ...Object.entries(engines).map(([name, { port }]) => ({ path: ['engines', name, 'port'], port })),
  ]
  const taken = new Map<number, string>()
  for (const { path, port } of listeners) {
    if (port === null || port === 0) continue
    const holder = taken.get(port)
    if (holder) yield { path, message: say`port ${port} is already that of ${holder}; choose another` }
    else taken.set(port, path.join('.'))
  }
}

/** A backend at our own address would answer itself for ever. Seed 004's default, VLLM_BASE_URL on port 8001, does that. */
function* pointingAtItself({ server, vllm, routing }: Config, usesVllm: boolean): Generator<Finding> {
  const hosts = [server.host].flat()
  const onLoopback = hosts.some((host) => isLoopbackHost(host) || isEveryHost(host))
  const isHere = (address: string): boolean => {
    const { hostname, port, protocol } = new URL(address)
    const reaches = hosts.includes(hostname) || (onLoopback && isLoopbackHost(hostname))
    return reaches && Number(port || (protocol === 'https:' ? 443 : 80)) === server.port
  }
  const message = say`points at Lexora itself (server.port ${server.port}); give the address of the backend`
  if (usesVllm && !routing.enabled && isHere(vllm.url)) yield { path: ['vllm', 'url'], message }
  for (const [name, { url }] of Object.entries(routing.backends)) {
    if (url !== null && isHere(url)) yield { path: ['routing', 'backends', name, 'url'], message }
  }
}

function* incompleteEngines({ engines }: Config): Generator<Finding> {
  for (const [name, engine] of Object.entries(engines)) {
    const [wrong] = engine.kind === 'vllm' ? adaptersOf(engine.args).wrong : []
    if (wrong !== undefined) {
      const message = say`"${wrong.slice(0, 100)}" is no adapter: write name=path, each name once`
      yield { path: ['engines', name, 'args', 'lora-modules'], message }
    }
    if (['vllm', 'llama-server', 'embedded'].includes(engine.kind) && engine.model === null) {
      yield {
        path: ['engines', name, 'model'],
        message: say`is missing: an engine of kind ${engine.kind} needs a model`,
      }
    }
    if (engine.kind === 'command' && engine.executable === null) {
      yield {
        path: ['engines', name, 'executable'],
        message: say('is missing: an engine of kind command needs a program'),
      }
    }
  }
}

function* repeatedKeys({ auth }: Config): Generator<Finding> {
  const seen = new Set<string>()
  for (const [index, item] of auth.api_keys.entries()) {
    const key = typeof item === 'string' ? item : item.key
    if (seen.has(key))
      yield { path: ['auth', 'api_keys', index], message: say('the same key is listed twice; remove one') }
    seen.add(key)
  }
}
