/** A whole run of Lexora in this process, from its configuration file on. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { adminClient } from '../../src/app/admin-client.ts'
import { run } from '../../src/app/run.ts'
import type { RunRecord } from '../../src/app/run-file.ts'
import type { AppCommands } from '../../src/protocol/commands.ts'
import { until } from './app.ts'

export type TestRun = {
  home: string
  /** The configuration file. */
  file: string
  port: number
  url: string
  record: RunRecord
  commands: AppCommands
  /** What SIGHUP does. */
  reload: () => void
  /** Ends it before the test does. */
  stop: () => Promise<unknown>
  log: () => string
}

export function aHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'lexora-test-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  return home
}

/** Runs it with this file until the test ends. Rejects with code and output where it does not start. */
export async function startRun(text: string, home = aHome(), env: Record<string, string> = {}): Promise<TestRun> {
  const file = join(home, 'lexora_config.yaml')
  writeFileSync(file, text, { mode: 0o600 })
  const at = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))
  let [log, reload] = ['', () => {}]
  const write = (line: string): void => {
    log += line
  }
  let stop!: () => void
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  const ended = run(
    { configPath: undefined, flags: {}, engine: 'none' },
    {
      env: { LEXORA_HOME: home, PATH: process.env['PATH'], ...env },
      cwd: home,
      home,
      platform: process.platform,
      out: (line) => write(line),
      err: (line) => write(line),
      isTerminal: false,
      stopped,
      hurry: new AbortController().signal,
      onReload: (given) => {
        reload = given
      },
      onFault: () => {},
      demoEntry: at('demo/main.ts'),
      guardEntry: at('engine/guard/main.ts'),
      historyEntry: at('store/history-worker.ts'),
      uiDir: join(home, 'no-window'),
      version: '0.0.0-test',
    },
  )
  const stopAll = async (): Promise<unknown> => {
    stop()
    return await ended
  }
  onTestFinished(async () => void (await stopAll()))
  await until(
    () => log.includes('ready address=') || log.includes('did not start'),
    () => log,
    20_000,
  )
  if (log.includes('did not start')) throw new Error(`exit code ${await ended}: ${log}`)
  const record = () => JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as RunRecord
  const { address, token, certificate } = record()
  return {
    home,
    file,
    port: Number(new URL(address).port),
    url: address,
    record: record(),
    commands: adminClient({ address, key: token, certificate: certificate ?? null }),
    reload: () => reload(),
    stop: stopAll,
    log: () => log,
  }
}
