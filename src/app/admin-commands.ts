import type { EngineConfig } from '../engine/launch.ts'
import type { Supervisor } from '../engine/supervisor.ts'
import { type AppCommands, refusal } from '../protocol/commands.ts'
import { engineSchema } from '../protocol/config.ts'
import type { DoctorReport } from '../protocol/doctor.ts'
import { nearestNames } from '../protocol/nearest-name.ts'
import { say } from '../protocol/sentence.ts'
import type { AppSnapshot, RequestView, ServerView } from '../protocol/snapshot.ts'
import type { Captures } from '../telemetry/captures.ts'
import type { OutboundLedger } from '../telemetry/outbound.ts'
import type { ConfigDesk } from './config-desk.ts'
import { type DataParts, dataCommands } from './data-commands.ts'
import { readEngineLog } from './engine-log.ts'
import type { Engines } from './engines.ts'
import type { GpuDesk } from './gpu-desk.ts'
import { type ModelParts, modelCommands } from './model-commands.ts'
import { type NetworkParts, networkCommands } from './network-commands.ts'
import { type UiParts, uiCommands } from './ui-commands.ts'
import { type RecordParts, userCommands } from './users-commands.ts'

/** What the commands act on. */
export type CommandParts = {
  snapshot: () => AppSnapshot
  state: () => ServerView['state']
  /** Asked when a command comes: it is made after them. */
  gateway: () => {
    requests(): RequestView[]
    readonly inFlight: number
    /** False when there is none of that id. */
    cancel(id: string): boolean
    pause(): void
    resume(): void
    refusedOrigins: ReturnType<NetworkParts['origins']>
  }
  /** Null where none is configured. Asked when a command comes, too. */
  engines: () => Pick<Engines, 'get' | 'all' | 'views' | 'start' | 'stop' | 'restart' | 'freeGpu'> | null
  /** Where it listens. */
  ownPorts: () => number[]
  isSecure: () => boolean
  gpu: GpuDesk
  /** Where engines write their logs. */
  logDir: string
  doctor: () => Promise<DoctorReport>
  records: RecordParts
  models: ModelParts
  ui: UiParts
  captures: Captures
  outbound: OutboundLedger
  /** `privacy` of the configuration that holds now. */
  privacy: () => { offline: boolean; blocked: string[] }
  data: DataParts['data']
  /** Null: whoever runs this process cannot be asked. */
  quit: (() => void) | null
  /** The configuration it runs by. Asked when a command comes. */
  config: () => ConfigDesk
}

const LOG_LINES = 200

/** The commands as this process does them. */
export function adminCommands(parts: CommandParts): AppCommands {
  const { snapshot, state, gateway, gpu } = parts
  const engineCalled = (name: string | undefined): Supervisor => findEngine(parts.engines()?.all() ?? [], name)
  return {
    snapshot: async () => snapshot(),
    listRequests: async () => ({ requests: gateway().requests() }),
    cancelRequest: async ({ id }) => {
      if (gateway().cancel(id)) return { cancelled: id }
      throw refusal('not_found', say('No request of this id is in flight.'), 'id')
    },
    pause: async () => {
      gateway().pause()
      return { state: state() }
    },
    quit: async () => {
      const { quit } = parts
      if (quit === null)
        throw refusal('invalid_request', say('This Lexora is ended by the program that it is part of.'), null)
      // Its answer goes first.
      setImmediate(quit)
      return { left: gateway().inFlight }
    },
    resume: async () => {
      gateway().resume()
      return { state: state() }
    },
    listEngines: async () => ({ engines: parts.engines()?.views() ?? [] }),
    startEngine: async ({ engine } = {}) => {
      const found = engineCalled(engine)
      await parts.engines()!.start(found)
      return found.view()
    },
    stopEngine: async ({ engine } = {}) => {
      const found = engineCalled(engine)
      parts.engines()!.stop(found)
      return found.view()
    },
    restartEngine: async ({ engine } = {}) => {
      const found = engineCalled(engine)
      parts.engines()!.restart(found)
      return found.view()
    },
    engineCommand: async ({ engine, args } = {}) => await engineCalled(engine).command(argsOf(args)),
    freeGpu: async () => ({ freed: (await parts.engines()?.freeGpu()) ?? [] }),
    gpu: async ({ who } = {}) => {
      const report = await gpu.read()
      const views = parts.engines()?.views() ?? []
      return { gpu: report, holders: who === true ? await gpu.who(views) : null }
    },
    engineLog: async ({ engine, lines, after } = {}) => {
      const { name } = engineCalled(engine)
      return await readEngineLog(parts.logDir, name, { lines: Number(lines ?? LOG_LINES), after: after ?? null })
    },
    doctor: async () => await parts.doctor(),
    ...userCommands(parts.records),
    ...modelCommands(parts.models),
    ...uiCommands(parts.ui, () =>
      refusal('not_found', say('The window is switched off here: see ui.enabled.'), 'ui.enabled'),
    ),
    ...networkCommands({ ...parts, origins: () => gateway().refusedOrigins }),
    startCapture: async ({ user } = {}) => {
      parts.captures.start(user ?? null)
      return parts.captures.report()
    },
    stopCapture: async () => {
      parts.captures.stop()
      return parts.captures.report()
    },
    listCaptures: async () => parts.captures.report(),
    readCapture: async ({ id }) => {
      const captured = parts.captures.read(id)
      if (captured === null) throw refusal('not_found', say('No request of this id was captured.'), 'id')
      return captured
    },
    listOutbound: async () => ({ ...parts.outbound.report(), ...parts.privacy() }),
    blockOutbound: async ({ host }) => await parts.config().blockPlace(host),
    ...dataCommands(parts),
    allowOutbound: async ({ host }) => await parts.config().allowPlace(host),
    reload: async () => await parts.config().reload(),
    getConfig: async () => await parts.config().getConfig(),
    setConfig: async (args) => await parts.config().setConfig(args),
    validateConfig: async (args) => await parts.config().validateConfig(args),
    configText: async () => await parts.config().configText(),
    writeConfig: async (args) => await parts.config().writeConfig(args),
    undoConfig: async () => await parts.config().undoConfig(),
    readTls: async () => await parts.config().readTls(),
    createCertificate: async (args) => await parts.config().createCertificate(args),
  }
}

/** Options as a JSON object: `{"max-model-len": 8192}`; null takes one away. */
function argsOf(text: string | undefined): EngineConfig['args'] {
  if (text === undefined) return {}
  const says = (what: string): never => {
    throw refusal('invalid_request', `args: ${what}; give a JSON object, as {"max-model-len": 8192}`, 'args')
  }
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    return says('is no JSON')
  }
  const read = engineSchema.shape.args.safeParse(given)
  const issue = read.error?.issues[0]
  const why = issue?.code === 'invalid_key' ? issue.issues[0]?.message : issue?.message
  return read.data ?? says([issue?.path.join('.'), why].filter(Boolean).join(' '))
}

/** By its name, or the only one there is. */
function findEngine(engines: readonly Supervisor[], name: string | undefined): Supervisor {
  const names = engines.map((engine) => engine.name)
  if (engines.length === 0) {
    throw refusal(
      'not_found',
      say('No engine is configured. Name one below `engines:` in the configuration file.'),
      'engine',
    )
  }
  if (name === undefined) {
    if (engines.length === 1) return engines[0]!
    throw refusal('invalid_request', say`There are several engines: ${names.join(', ')}. Say which one.`, 'engine')
  }
  const found = engines.find((engine) => engine.name === name) ?? engines.find((engine) => engine.model === name)
  if (found !== undefined) return found
  const near = nearestNames(name, names)
  const message =
    near.length > 0
      ? say`There is no engine '${name}'. Did you mean ${near.join(' or ')}?`
      : say`There is no engine '${name}'. There is ${names.join(', ')}.`
  throw refusal('not_found', message, 'engine')
}
