import { statfsSync } from 'node:fs'
import { lstat, rm } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { configHash } from '../engine/command-line.ts'
import { InstallError } from '../engine/installer.ts'
import type { EngineConfig } from '../engine/launch.ts'
import { chooseVersion, installedVersions, readChoice } from '../engine/versions.ts'
import { blobOf, type FoundModel, namesBelow, repositoryFolder } from '../models/catalogue.ts'
import { chooseFiles, parseRepository } from '../models/choose-files.ts'
import { describePath } from '../models/describe.ts'
import { HubError } from '../models/hub.ts'
import { type CheckedFile, listFiles, partsOf, verifyFiles } from '../models/verify.ts'
import { modelShape } from '../policy/model-shape.ts'
import { type AppCommands, CommandError } from '../protocol/commands.ts'
import type { EngineView } from '../protocol/engine.ts'
import { type ErrorCode, problem } from '../protocol/errors.ts'
import type { MODEL_COMMANDS } from '../protocol/model-commands.ts'
import type { DiskView, EngineVersions, HubView, ModelView, OfferedVersions } from '../protocol/models.ts'
import { nearestNames } from '../protocol/nearest-name.ts'
import { say } from '../protocol/sentence.ts'
import type { EngineStart } from '../store/engine-starts.ts'
import { runBench } from './bench.ts'
import { type FitGiven, fitReport } from './fit.ts'
import { isNamed, type ModelDesk, runningUser, usersOf } from './model-desk.ts'

export type ModelCommands = Pick<AppCommands, keyof typeof MODEL_COMMANDS>

export type ModelParts = {
  /** Null: this process does not look after models. */
  desk: ModelDesk | null
  /** As they are now. */
  engines: () => readonly EngineView[]
  /** When models were last asked, by the names that engines have for them; milliseconds since 1970. */
  lastUsed: () => ReadonlyMap<string, number>
  /** Where a bench knocks, and with which key; null: nothing is served by this process. */
  gateway: () => { address: string; key: string | null } | null
}

const BENCH = { requests: 16, concurrency: 4, tokens: 128, prompt: 100 }
const HUB_MS = 30_000

/** Everything about models and installed engines, as this process does it. */
export function modelCommands(parts: ModelParts): ModelCommands {
  const desk = (): ModelDesk => parts.desk ?? refuse('not_found', say('Models are not looked after here.'), null)
  const views = async (anew: boolean): Promise<ModelView[]> => {
    const own = desk()
    const lastUsed = [...parts.lastUsed()]
    return (await own.models(anew)).map((model) => {
      const uses = lastUsed.filter(([name]) => isNamed(model, name)).map(([, at]) => at)
      return {
        ...model,
        usedBy: usersOf(model, own.options.engines),
        lastUsed: uses.length === 0 ? null : new Date(Math.max(...uses)).toISOString(),
      }
    })
  }
  return {
    listModels: async () => ({ models: await views(false), disk: diskOf(desk().places.hubCache) }),
    scanModels: async () => ({ models: await views(true), disk: diskOf(desk().places.hubCache) }),
    modelFiles: async ({ model }) => {
      const found = await findModel(desk(), model)
      const { id, path, revision } = found
      return { model: id, path, revision, files: await listFiles(found, desk().checked) }
    },
    verifyModel: async ({ model }) => {
      const { checked } = desk()
      const note = (path: string, one: CheckedFile) => checked.set(path, { ...one, at: new Date().toISOString() })
      return await verifyFiles(await findModel(desk(), model), note)
    },
    removeModel: async ({ model }) => await removeModel(desk(), await findModel(desk(), model), parts.engines()),
    pullModel: async ({ repo, revision, files = [] }) =>
      await ofHub('repo', async () => desk().pulls.add({ repo, revision: revision ?? 'main', files: listOf(files) })),
    listPulls: async () => ({ pulls: desk().pulls.views() }),
    pausePull: async ({ id }) => desk().pulls.pause(id) ?? noPull(),
    resumePull: async ({ id }) => desk().pulls.resume(id) ?? noPull(),
    cancelPull: async ({ id }) => desk().pulls.cancel(id) ?? noPull(),
    hub: async () => desk().hubView(),
    setHubToken: async ({ token }) => keepToken(desk(), token),
    forgetHubToken: async () => keepToken(desk(), null),
    fitModel: async ({ model, context, gpu, share }) => {
      const given = await fitGiven(desk(), model, context === undefined ? null : Number(context), gpu ?? null)
      const args = share === undefined ? given.args : { ...given.args, 'gpu-memory-utilization': Number(share) }
      const report = fitReport({ ...given, args })
      return (
        report ??
        refuse('invalid_request', say`The files of ${model} do not say what is needed to compute it.`, 'model')
      )
    },
    presets: async () => {
      const here = new Set((await desk().models()).filter(({ complete }) => complete).map(({ id }) => id))
      return {
        presets: desk()
          .presets()
          .map((preset) => ({ ...preset, installed: here.has(preset.repo) })),
      }
    },
    engineVersions: async () => versionsOf(desk()),
    offeredEngines: async () => await offered(desk()),
    installEngine: async ({ version, package: name, canary } = {}) => {
      try {
        return desk().installer.start({ version: version ?? null, package: name ?? 'vllm', canary: canary ?? null })
      } catch (error) {
        if (!(error instanceof InstallError)) throw error
        return refuse('invalid_request', `${error.message} ${error.fix ?? ''}`.trim(), null)
      }
    },
    useEngine: async ({ version }) => useVersion(desk(), version),
    rollbackEngine: async () => {
      const { previous } = readChoice(desk().versions)
      const hint = 'No other version was used before. Installed ones are shown by: lexora engine list'
      return useVersion(desk(), previous ?? refuse('not_found', hint, null))
    },
    bench: async ({ model, requests, concurrency, tokens, prompt, apiKey }) => {
      const gateway = parts.gateway() ?? refuse('not_found', say('Nothing is served here.'), null)
      return await runBench({
        ...gateway,
        ...(apiKey === undefined ? {} : { key: apiKey }),
        model,
        requests: Number(requests ?? BENCH.requests),
        concurrency: Number(concurrency ?? BENCH.concurrency),
        tokens: Number(tokens ?? BENCH.tokens),
        prompt: Number(prompt ?? BENCH.prompt),
        signal: new AbortController().signal,
      })
    },
  }
}

function noPull(): never {
  return refuse('not_found', say('There is no pull of this id.'), 'id')
}

/** Of the disk on which models come to lie; its folder may not be there yet. Null: the system does not tell. */
function diskOf(folder: string): DiskView | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder)
    return { folder, freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  } catch {
    const above = dirname(folder)
    return above === folder ? null : diskOf(above)
  }
}

function listOf(given: unknown): string[] {
  return typeof given === 'string' ? given.split(',').filter((one) => one !== '') : (given as string[])
}

/** By id, by path, or by the name of an engine that uses it. */
async function findModel(desk: ModelDesk, name: string): Promise<FoundModel> {
  const models = await desk.models(true)
  const byEngine = desk.options.engines[name]?.model
  const wanted = [name, resolve(desk.options.machine.cwd, name), ...(byEngine == null ? [] : [byEngine])]
  const found = models.find(({ id, path }) => wanted.includes(id) || wanted.includes(path))
  if (found !== undefined) return found
  const variants = models.filter(({ id }) => id.startsWith(`${name}:`)).map(({ id }) => id)
  if (variants.length === 1) return models.find(({ id }) => id === variants[0])!
  if (variants.length > 1)
    return refuse('invalid_request', say`Of ${name} there are ${variants.join(', ')}. Say which one.`, 'model')
  const near = nearestNames(
    name,
    models.map(({ id }) => id),
  )
  const message =
    near.length > 0
      ? say`There is no model '${name}' on this machine. Did you mean ${near.join(' or ')}?`
      : say`There is no model '${name}' on this machine. Those that are here: lexora models`
  return refuse('model_not_found', message, 'model')
}

/** Only below the places that are known, and never what a running engine reads. */
async function removeModel(desk: ModelDesk, model: FoundModel, views: readonly EngineView[]) {
  const user = runningUser(usersOf(model, desk.options.engines), views)
  if (user !== undefined) {
    refuse(
      'invalid_request',
      `The engine '${user.name}' uses it and is ${user.state.is}. Stop it first: lexora stop ${user.name}`,
      'model',
    )
  }
  const repo = model.source === 'hub' ? model.id.split(':')[0]! : null
  if (repo !== null && desk.pulls.open.some((pull) => pull.repo === repo)) {
    refuse('invalid_request', `${repo} is being fetched. Cancel that first: lexora pulls`, 'model')
  }
  const { hubCache, folders } = desk.places
  const paths = await pathsOf(model, hubCache)
  const isOurs = paths.every((path) => [hubCache, ...folders].some((place) => isBelow(path, place)))
  if (!isOurs)
    refuse('permission_denied', say`${model.path} lies outside of the folders that Lexora removes from.`, 'model')
  let freedBytes = 0
  for (const path of paths) freedBytes += await sizeOf(path)
  try {
    for (const path of paths) await rm(path, { recursive: true, force: true })
  } catch (error) {
    refuse('invalid_request', say`${model.path} cannot be removed (${(error as NodeJS.ErrnoException).code}).`, 'model')
  } finally {
    desk.forget()
  }
  return { model: model.id, freedBytes, path: model.path }
}

/** A repository goes whole; of several GGUF files in one, the file and its content alone. */
async function pathsOf({ id, path, source }: FoundModel, hubCache: string): Promise<string[]> {
  if (source === 'folder') return path.endsWith('.gguf') ? await partsOf(path) : [path]
  const folder = join(hubCache, repositoryFolder(id.split(':')[0]!))
  const others = (await namesBelow(join(folder, 'snapshots'))).filter((name) => name.endsWith('.gguf'))
  const parts = id.includes(':') ? await partsOf(path) : []
  if (!id.includes(':') || others.length <= parts.length) return [folder]
  const blobs = await Promise.all(parts.map(async (part) => await blobOf(part)))
  return [...parts, ...blobs.flatMap((blob) => (blob === null ? [] : [join(folder, 'blobs', blob)]))]
}

function isBelow(path: string, place: string): boolean {
  const way = relative(place, path)
  return way !== '' && !way.startsWith('..') && !isAbsolute(way)
}

async function sizeOf(path: string): Promise<number> {
  const found = await lstat(path).catch(() => null)
  if (found === null || found.isSymbolicLink()) return 0
  if (!found.isDirectory()) return found.size
  let bytes = 0
  for (const name of await namesBelow(path)) bytes += await sizeOf(join(path, name))
  return bytes
}

async function fitGiven(desk: ModelDesk, name: string, context: number | null, gpu: string | null): Promise<FitGiven> {
  const { engines, gpu: gpus } = desk.options
  const [engineName, engine] =
    Object.entries(engines).find(([key, { model, served_name: served }]) => [key, model, served].includes(name)) ?? []
  const wanted = engine?.model ?? name
  const local = await localModel(desk, wanted)
  const described = local ?? (await ofHub('model', async () => await remoteModel(desk, wanted)))
  const all = await gpus.source.sample()
  const chosen = gpu === null ? (engine?.gpus ?? []).map(String) : gpu.split(',')
  const used =
    all === null || chosen.length === 0
      ? all
      : all.filter(({ index, id }) => chosen.includes(String(index)) || chosen.includes(String(id)))
  if (all !== null && used?.length === 0) {
    refuse(
      'invalid_request',
      say`There is no GPU ${chosen.join(', ')}; there is ${all.map(({ index }) => index).join(', ')}.`,
      'gpu',
    )
  }
  const names = (used ?? []).map(({ name: own }) => own).slice(0, cardsOf(engine))
  const earlier = engine === undefined ? [] : earlierStarts(desk, engine, names.join(', '))
  const args = {
    ...engine?.args,
    ...(gpu === null || engine !== undefined ? {} : { 'tensor-parallel-size': chosen.length }),
  }
  const reserveMb = engine?.gpu_reserve_mb ?? null
  return { model: engineName ?? name, described, context, gpus: used, args, reserveMb, earlier }
}

/** With the very flags that it has now: with others its cache was of another size. */
function earlierStarts({ starts }: ModelDesk, engine: EngineConfig, gpu: string): EngineStart[] {
  const flagsHash = configHash({ ...engine, port: 0 })
  const found = starts?.earlier({ model: engine.model ?? '', flagsHash, gpu }) ?? []
  return found.filter((start) => start.flagsHash === flagsHash)
}

function cardsOf(engine: EngineConfig | undefined): number {
  return Number(engine?.args['tensor-parallel-size'] ?? 1) || 1
}

async function localModel(desk: ModelDesk, name: string) {
  const path = resolve(desk.options.machine.cwd, name)
  const isPath = isAbsolute(name) || name.startsWith('.') || name.startsWith('~')
  if (isPath)
    return (
      (await describePath(path, namesBelow)) ?? refuse('model_not_found', say`There is nothing at ${path}.`, 'model')
    )
  const found = (await desk.models()).find(({ id, complete }) => id === name && complete) ?? null
  return found === null ? null : await describePath(found.path, namesBelow)
}

/** Before anything is fetched: by its configuration and the sizes of its files, as the hub lists them. */
async function remoteModel(desk: ModelDesk, name: string): Promise<FitGiven['described']> {
  const { repo, patterns } = parseRepository(name)
  const off = desk.hubIsOff()
  if (off !== null) throw new HubError(`${name} is not on this machine. ${off.message}`, off.fix)
  const hub = desk.hub()
  const signal = AbortSignal.timeout(HUB_MS)
  const { commit, files } = await hub.list(repo, 'main', signal)
  const weights = chooseFiles(files, patterns, repo).filter(({ path }) => /\.(safetensors|bin|gguf)$/.test(path))
  const text = files.some(({ path }) => path === 'config.json')
    ? await hub.text(repo, commit, 'config.json', signal)
    : null
  const shape = text === null ? null : modelShape(JSON.parse(text))
  if (shape === null)
    throw new HubError(
      say`${repo} does not say enough to compute it before it is fetched.`,
      `Fetch it: lexora pull ${name}`,
    )
  const bytes = weights.reduce((sum, { size }) => sum + size, 0)
  const type = shape.quantization === null ? 'BF16' : 'packed'
  return { shape, bytes, format: 'safetensors', weights: bytes > 0 ? { [type]: { count: 0, bytes } } : null }
}

function versionsOf({ versions, installer, onPath }: ModelDesk): EngineVersions {
  const { used, previous } = readChoice(versions)
  return {
    versions: installedVersions(versions).map((one) => ({ ...one, used: one.version === used })),
    used,
    previous,
    install: installer.view(),
    folder: versions,
    onPath,
  }
}

async function offered(desk: ModelDesk): Promise<OfferedVersions> {
  const there = installedVersions(desk.versions)
  try {
    const { index, versions } = await desk.offeredVersions()
    const isThere = (version: string): boolean => there.some((one) => one.package === 'vllm' && one.version === version)
    return { index, versions: versions.map((one) => ({ ...one, installed: isThere(one.version) })) }
  } catch (error) {
    if (!(error instanceof InstallError)) throw error
    return refuse('invalid_request', `${error.message} ${error.fix ?? ''}`.trim(), null)
  }
}

function useVersion(desk: ModelDesk, version: string): EngineVersions {
  const there = installedVersions(desk.versions).map((one) => one.version)
  if (!there.includes(version)) {
    const message =
      there.length > 0
        ? say`vLLM ${version} is not installed. There is ${there.join(', ')}.`
        : say`vLLM ${version} is not installed. Install it: ${`lexora engine install ${version}`}`
    refuse('not_found', message, 'version')
  }
  chooseVersion(desk.versions, version)
  return versionsOf(desk)
}

function keepToken(desk: ModelDesk, token: string | null): HubView {
  const { token: known, tokenFile } = desk.hubView()
  if (known !== null && !known.canChange)
    refuse('invalid_request', say`The token is set by ${known.from}, which goes before any file.`, 'token')
  try {
    desk.keepToken(token)
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error)
    refuse('overloaded', say`${tokenFile} cannot be written (${why}); nothing was changed.`, null)
  }
  return desk.hubView()
}

/** What the hub says is a refusal as any other. */
async function ofHub<Result>(param: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    const code = /There is no/.test(error.message) ? 'model_not_found' : 'invalid_request'
    return refuse(code, `${error.message} ${error.fix ?? ''}`.trim(), param)
  }
}

function refuse(code: ErrorCode, message: string, param: string | null): never {
  throw new CommandError(problem(code, message, param === null ? {} : { param }))
}
