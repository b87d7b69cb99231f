import { z } from 'zod'
import { row } from './command-row.ts'
import {
  BENCH_PROMPTS,
  type BenchReport,
  type EngineVersions,
  type FitReport,
  type HubView,
  type InstallView,
  type ModelFilesReport,
  type ModelList,
  type OfferedVersions,
  type PresetView,
  type PullView,
  type VerifyReport,
} from './models.ts'
import { say } from './sentence.ts'

const text = (what: string) =>
  z.string(say`is missing: name ${what}`).min(1, say('is empty')).max(1024, say('is too long'))
const model = text('a model')
const whole = (least: number, most: number) =>
  z.coerce
    .number(say('is not a number'))
    .int(say('is not whole'))
    .min(least, say`is less than ${least}`)
    .max(most, say`is over ${most}`)
/** A list, or text with commas as the CLI has it. */
const patterns = z
  .union([z.array(z.string().min(1).max(256)).max(64), z.string().max(1024)], say('is no list of file names'))
  .transform((given) => (typeof given === 'string' ? given.split(',').filter((one) => one !== '') : given))
const pullId = z.string().regex(/^[\w.:-]{1,128}$/, say('is not the id of a pull'))
const version = z.string().regex(/^\w[\w.+!-]{0,63}$/, say('is no version'))

const isLength = (given: unknown): given is keyof typeof BENCH_PROMPTS => Object.hasOwn(BENCH_PROMPTS, String(given))

/** Models and installed engines: finding, fetching, fitting, measuring. */
export const MODEL_COMMANDS = {
  listModels: row<ModelList>()({
    method: 'GET',
    path: '/admin/models',
    cli: ['models'],
    also: ['models ls'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'the models on this machine: the hub’s cache and the folder of models',
    answersWithinMs: 60_000,
  }),
  scanModels: row<ModelList>()({
    method: 'POST',
    path: '/admin/models/scan',
    cli: ['models', 'scan'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'look at the disk again',
    answersWithinMs: 60_000,
  }),
  modelFiles: row<ModelFilesReport>()({
    method: 'GET',
    path: '/admin/models/files',
    cli: ['models', 'files'],
    places: ['model'],
    scope: 'admin:read',
    args: z.strictObject({ model }),
    about: 'each file of a model, its size, and whether it was whole when it was verified',
    answersWithinMs: 60_000,
  }),
  verifyModel: row<VerifyReport>()({
    method: 'POST',
    path: '/admin/models/verify',
    cli: ['models', 'verify'],
    places: ['model'],
    scope: 'admin:write',
    args: z.strictObject({ model }),
    about: 'read all files of a model and compare them with their hashes',
    answersWithinMs: 3_600_000,
  }),
  removeModel: row<{ model: string; freedBytes: number; path: string }>()({
    method: 'POST',
    path: '/admin/models/remove',
    cli: ['models', 'rm'],
    places: ['model'],
    scope: 'admin:write',
    args: z.strictObject({ model }),
    about: 'remove a model from the disk; refused while a running engine uses it',
    terminal: ['yes'],
    answersWithinMs: 120_000,
  }),
  pullModel: row<PullView>()({
    method: 'POST',
    path: '/admin/models/pull',
    cli: ['pull'],
    places: ['repo'],
    scope: 'admin:write',
    args: z.strictObject({
      repo: text('a hub repository, as Qwen/Qwen3-8B or REPO:*Q4_K_M.gguf'),
      revision: z
        .string()
        .regex(/^[\w][\w./-]{0,127}$/, say('is no revision'))
        .optional(),
      files: patterns.optional(),
    }),
    about: 'fetch a model of the hub into its cache; goes on where it was cut off',
    terminal: ['detach'],
  }),
  listPulls: row<{ pulls: PullView[] }>()({
    method: 'GET',
    path: '/admin/pulls',
    cli: ['pulls'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'models on their way here',
  }),
  pausePull: row<PullView>()({
    method: 'POST',
    path: '/admin/pulls/{id}/pause',
    cli: ['pulls', 'pause'],
    scope: 'admin:write',
    args: z.strictObject({ id: pullId }),
    about: 'let a pull wait until it is resumed, also over a restart; what has come stays',
  }),
  resumePull: row<PullView>()({
    method: 'POST',
    path: '/admin/pulls/{id}/resume',
    cli: ['pulls', 'resume'],
    scope: 'admin:write',
    args: z.strictObject({ id: pullId }),
    about: 'go on with a pull that waits',
  }),
  cancelPull: row<PullView>()({
    method: 'POST',
    path: '/admin/pulls/{id}/cancel',
    cli: ['pulls', 'cancel'],
    scope: 'admin:write',
    args: z.strictObject({ id: pullId }),
    about: 'end a pull; what has come stays for the next try',
  }),
  hub: row<HubView>()({
    method: 'GET',
    path: '/admin/hub',
    cli: ['hub'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'the hub that models are fetched from, and whether it is shown a token',
  }),
  setHubToken: row<HubView>()({
    method: 'POST',
    path: '/admin/hub/token',
    cli: ['hub', 'token'],
    places: ['token'],
    secrets: ['token'],
    scope: 'admin:write',
    args: z.strictObject({
      token: z
        .string(say('is missing'))
        .regex(/^[\x21-\x7e]{1,512}$/, say('must be up to 512 characters without spaces, as in hf_…')),
    }),
    about: 'keep a token for gated models, where the tools of the hub keep theirs',
  }),
  forgetHubToken: row<HubView>()({
    method: 'POST',
    path: '/admin/hub/forget',
    cli: ['hub', 'forget'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'remove the token that is kept',
  }),
  fitModel: row<FitReport>()({
    method: 'GET',
    path: '/admin/fit',
    cli: ['fit'],
    places: ['model'],
    scope: 'admin:read',
    args: z.strictObject({
      model,
      context: whole(1, 100_000_000).optional(),
      gpu: z
        .string()
        .regex(/^\d{1,3}(,\d{1,3}){0,15}$/, say('is no GPU: a number as 0, or several as 0,1'))
        .optional(),
      share: z.coerce
        .number(say('is not a number'))
        .min(0.01, say('is less than 0.01'))
        .max(1, say('is over 1'))
        .optional(),
    }),
    about: 'whether a model fits into the memory that is free now, or into a share of it, and with which context',
    answersWithinMs: 60_000,
  }),
  presets: row<{ presets: PresetView[] }>()({
    method: 'GET',
    path: '/admin/presets',
    cli: ['models', 'presets'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'good open models to begin with',
    answersWithinMs: 60_000,
  }),
  engineVersions: row<EngineVersions>()({
    method: 'GET',
    path: '/admin/engine-versions',
    cli: ['engine', 'list'],
    also: ['engine'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'the versions of vLLM that Lexora has installed',
  }),
  offeredEngines: row<OfferedVersions>()({
    method: 'GET',
    path: '/admin/engine-versions/offered',
    cli: ['engine', 'available'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'the releases of vLLM that the package index has, the newest first',
    answersWithinMs: 60_000,
  }),
  installEngine: row<InstallView>()({
    method: 'POST',
    path: '/admin/engine-versions/install',
    cli: ['engine', 'install'],
    places: ['version'],
    scope: 'admin:write',
    args: z.strictObject({
      version: version.optional(),
      package: z
        .string()
        .regex(/^[A-Za-z0-9][\w.-]{0,63}$/, say('is no name of a package'))
        .optional(),
      canary: model.optional(),
    }),
    // A package is a program: who may name one is at this machine.
    onlyHere: true,
    about: 'install vLLM into an environment of its own, by uv; it is used once it has shown that it runs',
    terminal: ['detach'],
  }),
  useEngine: row<EngineVersions>()({
    method: 'POST',
    path: '/admin/engine-versions/use',
    cli: ['engine', 'use'],
    places: ['version'],
    scope: 'admin:write',
    args: z.strictObject({
      version: z.string(say('is missing: name a version')).regex(/^\w[\w.+!-]{0,63}$/, say('is no version')),
    }),
    about: 'start engines with this installed version from now on',
  }),
  rollbackEngine: row<EngineVersions>()({
    method: 'POST',
    path: '/admin/engine-versions/rollback',
    cli: ['engine', 'rollback'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'go back to the version that was used before',
  }),
  bench: row<BenchReport>()({
    method: 'POST',
    path: '/admin/bench',
    cli: ['bench'],
    places: ['model'],
    scope: 'admin:write',
    args: z.strictObject({
      model,
      requests: whole(1, 1000).optional(),
      concurrency: whole(1, 64).optional(),
      tokens: whole(1, 4096).optional(),
      prompt: z.preprocess((given) => (isLength(given) ? BENCH_PROMPTS[given] : given), whole(1, 32_768)).optional(),
      /** Of a user, where keys are needed and the configuration holds none. */
      apiKey: z.string().min(1).max(512).optional(),
    }),
    secrets: ['apiKey'],
    about:
      'time to the first token and tokens a second of a model that is served; a prompt is short, medium, long or so many tokens',
    answersWithinMs: 900_000,
  }),
} as const
