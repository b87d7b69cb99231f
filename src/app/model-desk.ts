import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hubAddress, hubCache, hubIsOff, hubToken, hubTokenFile, hubTokenVariable } from '../config/hub-cache.ts'
import type { LexoraPaths, Machine } from '../config/paths.ts'
import { writeWhole } from '../config/write.ts'
import { indexVersions } from '../engine/index-versions.ts'
import { InstallError, Installer, packageIndexes, WORKS_OFFLINE } from '../engine/installer.ts'
import { findOnPath } from '../engine/launch.ts'
import { versionsFolder } from '../engine/versions.ts'
import { type CataloguePlaces, type FoundModel, scanModels } from '../models/catalogue.ts'
import { Hub, HubError } from '../models/hub.ts'
import { readPresets } from '../models/presets.ts'
import { PULL_TIMING, type PullTiming } from '../models/pull.ts'
import { Pulls } from '../models/pulls.ts'
import type { CheckedFile } from '../models/verify.ts'
import { blockWords, isBlocked } from '../protocol/blocked.ts'
import type { Config } from '../protocol/config.ts'
import type { EngineView } from '../protocol/engine.ts'
import type { HubView, InstallView, OfferedVersion, PresetView, PullView } from '../protocol/models.ts'
import type { OutboundPurpose } from '../protocol/outbound.ts'
import { say } from '../protocol/sentence.ts'
import type { Store } from '../store/database.ts'
import { EngineStarts } from '../store/engine-starts.ts'
import type { History } from '../store/history.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { OutboundLedger } from '../telemetry/outbound.ts'
import type { DataDesk } from './data-commands.ts'
import type { GpuDesk } from './gpu-desk.ts'

export type ModelDeskOptions = {
  machine: Machine
  paths: LexoraPaths
  engines: Config['engines']
  /** `privacy.offline`. */
  offline?: boolean
  /** `privacy.blocked`. */
  blocked?: readonly string[]
  gpu: GpuDesk
  /** Null: of earlier starts nothing is known. */
  store: Store | null
  log: Logger
  /** Left out: nobody asks who was spoken to. */
  outbound?: OutboundLedger
  timing?: PullTiming
  /** Goes on with pulls that an earlier Lexora did not finish: not for a command of a moment. */
  resume: boolean
}

/** A look at the disk is good for so long. */
const FRESH_MS = 5000
/** For all indexes together: whoever asks what they offer waits no longer than a minute. */
const OFFERED_MS = 45_000

/** Models on disk, their way here, and the engines that Lexora installs. */
export class ModelDesk {
  readonly options: ModelDeskOptions
  readonly places: CataloguePlaces
  readonly pulls: Pulls
  readonly installer: Installer
  readonly versions: string
  readonly starts: EngineStarts | null
  /** Files that were verified since this process runs. */
  readonly checked: Map<string, CheckedFile & { at: string }> = new Map()
  private seen: { at: number; models: Promise<FoundModel[]> } | null = null

  constructor(options: ModelDeskOptions) {
    this.options = options
    const { machine, paths, log, store } = options
    const { env, home, platform } = machine
    this.places = { hubCache: hubCache(env, home), folders: [join(paths.stateDir, 'models')] }
    this.versions = versionsFolder(paths.stateDir)
    this.starts = store === null ? null : new EngineStarts(store)
    this.pulls = new Pulls({
      hub: () => this.hub(),
      off: () => this.hubIsOff(),
      hubCache: this.places.hubCache,
      journal: options.resume ? join(paths.stateDir, 'pulls.json') : null,
      timing: options.timing ?? PULL_TIMING,
      onDone: (repo) => {
        this.seen = null
        log.info('a model is here', { repo })
      },
      onFailed: (repo, reason) => log.warn('a model could not be fetched', { repo, reason }),
      onFull: (repo, reason) => log.warn('a model waits for room on the disk', { repo, reason }),
    })
    this.installer = new Installer({
      folder: this.versions,
      env,
      platform,
      home,
      now: () => new Date(),
      isOffline: () => this.isOffline,
      onIndex: (address) => this.askIndex(address),
      onEnd: (version, problem) => {
        if (problem === null) log.info('vLLM is installed, and used from the next start on', { version })
        else log.warn('vLLM was not installed', { version, reason: problem.cause })
      },
    })
  }

  /** Another configuration is in force. */
  reconfigure({ engines, privacy }: Pick<Config, 'engines' | 'privacy'>): void {
    this.options.engines = engines
    const { offline = false, blocked = [] } = this.options
    if (privacy.offline === offline && String(privacy.blocked) === String(blocked)) return
    Object.assign(this.options, { offline: privacy.offline, blocked: privacy.blocked })
    if (this.isOffline || this.installer.indexes.some((address) => this.blocks(address))) this.installer.cancel()
    // Which hosts a pull is fetching from is known only when it asks them again.
    if (privacy.blocked.some((entry) => !blocked.includes(entry))) this.pulls.putBack()
    this.pulls.offChanged()
  }

  /** The program `vllm` on PATH. */
  get onPath(): string | null {
    return findOnPath('vllm', this.options.machine)
  }

  get isOffline(): boolean {
    return this.options.offline ?? false
  }

  /** What is no address is blocked by nobody; who asks there is told. */
  private blocks(address: string): boolean {
    return URL.canParse(address) && isBlocked(new URL(address).host, this.options.blocked ?? [])
  }

  /** Why this place may not be asked; null: it may, and is about to be. */
  private mayAsk(address: string, purpose: OutboundPurpose): { cause: string; fix: string } | null {
    if (this.blocks(address)) return blockWords(new URL(address).host)
    this.options.outbound?.spoke(address, purpose)
    return null
  }

  /** The releases of vLLM, where uv would look first for them. Rejects with InstallError. */
  async offeredVersions(): Promise<{ index: string; versions: OfferedVersion[] }> {
    if (this.isOffline) throw new InstallError(...WORKS_OFFLINE)
    const [usual = '', ...more] = packageIndexes(this.options.machine.env)
    const signal = AbortSignal.timeout(OFFERED_MS)
    let failure: unknown = null
    for (const address of [...more, usual].filter((one) => one !== '')) {
      if (signal.aborted) break
      try {
        const versions = await indexVersions(address, 'vllm', ({ href }) => this.askIndex(href), signal)
        return { index: new URL(address).host, versions }
      } catch (error) {
        failure = error
      }
    }
    throw failure ?? new InstallError(say('uv is told of no package index on the network.'), say('Name a version.'))
  }

  private askIndex(address: string): void {
    const words = this.mayAsk(address, 'packages')
    if (words !== null) throw new InstallError(words.cause, words.fix)
  }

  /** Throws HubError while nothing may be fetched. */
  hub(): Hub {
    const off = this.hubIsOff()
    if (off !== null) throw off
    const { env, home } = this.options.machine
    return new Hub({
      address: hubAddress(env),
      token: hubToken(env, home),
      onRequest: ({ href }) => {
        const words = this.mayAsk(href, 'hub')
        if (words !== null) throw new HubError(words.cause, words.fix)
      },
      onSocket: (address, socket) => this.options.outbound?.carried(address, 'hub', socket),
    })
  }

  /** Why nothing may be fetched; null: it may. */
  hubIsOff(): HubError | null {
    if (this.isOffline) return new HubError(...WORKS_OFFLINE)
    const address = hubAddress(this.options.machine.env)
    if (this.blocks(address)) {
      const { cause, fix } = blockWords(new URL(address).host)
      return new HubError(cause, fix)
    }
    if (!hubIsOff(this.options.machine.env)) return null
    return new HubError(
      say('Nothing may be fetched: HF_HUB_OFFLINE is set.'),
      say('Unset it where this Lexora is started.'),
    )
  }

  hubView(): HubView {
    const { env, home } = this.options.machine
    const tokenFile = hubTokenFile(env, home)
    const variable = hubTokenVariable(env)
    const isThere = hubToken(env, home) !== null
    const token = isThere ? { from: variable ?? tokenFile, canChange: variable === null } : null
    return { address: hubAddress(env), token, tokenFile }
  }

  /** From the next request on. Null: none any more. Throws where the file cannot be written. */
  keepToken(token: string | null): void {
    const { tokenFile } = this.hubView()
    if (token === null) rmSync(tokenFile, { force: true })
    else writeWhole(tokenFile, token)
  }

  /** What lies on the disk, as of a moment ago; `anew`: as of now. */
  async models(anew = false): Promise<FoundModel[]> {
    const now = performance.now()
    if (anew || this.seen === null || now - this.seen.at > FRESH_MS) {
      const models = scanModels(this.places)
      this.seen = { at: now, models }
    }
    return await this.seen.models
  }

  forget(): void {
    this.seen = null
  }

  /** For the snapshot: what is on its way, where anything is. */
  underWay(): { pulls?: PullView[]; install?: InstallView } {
    const open = new Set(this.pulls.open.map(({ id }) => id))
    const install = this.installer.isRunning ? this.installer.view() : null
    return {
      ...(open.size > 0
        ? {
            pulls: this.pulls
              .views()
              .filter(({ id }) => open.has(id))
              .map(shortened),
          }
        : {}),
      ...(install === null ? {} : { install }),
    }
  }

  presets(): Omit<PresetView, 'installed'>[] {
    const path = presetFile()
    return path === null ? [] : readPresets(readFileSync(path, 'utf8'))
  }

  async close(): Promise<void> {
    await Promise.all([this.pulls.close(), this.installer.close()])
  }
}

/** A snapshot stays small: of many files those that are not here yet are enough. */
function shortened(view: PullView): PullView {
  return { ...view, files: view.files.filter(({ done }) => !done).slice(0, 20) }
}

/** `resources/` lies beside the sources and beside the built program. */
function presetFile(): string | null {
  for (let folder = new URL('.', import.meta.url), hops = 0; hops < 4; folder = new URL('..', folder), hops++) {
    const path = fileURLToPath(new URL('resources/models.yaml', folder))
    if (existsSync(path)) return path
  }
  return null
}

/** What lies on the disk, for who wants to know how large it is. */
export function dataDesk({ options, versions, places, pulls }: ModelDesk, history: History | null): DataDesk {
  return {
    paths: options.paths,
    versions,
    hubCache: places.hubCache,
    history,
    pulling: () => pulls.open.map(({ repo }) => repo),
    now: Date.now,
  }
}

/** Whether an engine with this for its model runs it: its id, its path, or the repository that it is part of. */
export function isNamed({ id, path }: Pick<FoundModel, 'id' | 'path'>, model: string): boolean {
  return model === id || model === path || (model.length > 3 && id.startsWith(`${model}:`))
}

/** Engines of the configuration that run a model. */
export function usersOf(found: Pick<FoundModel, 'id' | 'path'>, engines: Config['engines']): string[] {
  return Object.entries(engines).flatMap(([name, { model }]) => (model !== null && isNamed(found, model) ? [name] : []))
}

/** Of these engines one that runs, or is about to. */
export function runningUser(names: readonly string[], views: readonly EngineView[]): EngineView | undefined {
  const idle = new Set(['not-installed', 'stopped', 'failed', 'foreign', 'backoff'])
  return views.find(({ name, state }) => names.includes(name) && !idle.has(state.is))
}
