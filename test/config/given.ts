import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { formatIssue } from '../../src/config/issues.ts'
import { type Loaded, type LoadedConfig, type LoadInput, loadConfig } from '../../src/config/load.ts'

/** A folder that is gone after the test. */
export function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lexora-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function write(path: string, content: string | Uint8Array): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content, { mode: 0o600 })
  return path
}

export type Given = Partial<LoadInput> & { file?: string | Uint8Array }

/** Loads what a test names; nothing of the machine it runs on. `file` is the text of ./lexora_config.yaml. */
export function load({ file, ...input }: Given = {}): Loaded {
  const cwd = input.cwd ?? aFolder()
  if (file !== undefined) write(join(cwd, 'lexora_config.yaml'), file)
  return loadConfig({
    flags: {},
    env: {},
    cwd,
    home: cwd,
    platform: 'linux',
    ...(file === undefined ? {} : { configPath: 'lexora_config.yaml' }),
    ...input,
  })
}

export function loaded(given: Given = {}): LoadedConfig {
  const result = load(given)
  if (!result.ok) throw new Error(`expected a valid configuration:\n${result.issues.map(formatIssue).join('\n')}`)
  return result
}

/** What is wrong, one printed line each; empty if nothing is. */
export function issuesOf(given: Given): string[] {
  const result = load(given)
  return result.ok ? [] : result.issues.map(formatIssue)
}

/** One line of YAML as it would stand in the file: `at('a.b: 1')` is `{a: {b: 1}}`. */
export function nested(key: string, value: unknown): string {
  return JSON.stringify(key.split('.').reduceRight<unknown>((below, name) => ({ [name]: below }), value))
}
