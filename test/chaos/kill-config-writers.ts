/** Kills writers of a configuration file at any moment: `node test/chaos/kill-config-writers.ts [KILLS]`, 1,000 by default. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FILLING = '# a comment that fills the file\n'.repeat(4000)

/** The file as a writer leaves it: whole if its last line counts what its first one says. */
const documentOf = (count: number): string => `count: ${count}\n${FILLING}again: ${count}\n`

export async function killWriters(kills: number, folder: string): Promise<{ kills: number; unreadable: number }> {
  const path = join(folder, 'lexora_config.yaml')
  writeFileSync(path, documentOf(0))
  let unreadable = 0
  for (let kill = 0; kill < kills; kill++) {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--write', path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const gone = once(child, 'exit')
    // It has begun; a different count of further rounds each time is a different moment.
    let rounds = kill % 7
    for await (const _ of child.stdout) if (rounds-- <= 0) break
    child.kill('SIGKILL')
    await gone
    if (!isWhole(readFileSync(path, 'utf8'))) unreadable++
  }
  return { kills, unreadable }
}

function isWhole(text: string): boolean {
  const [, first] = /^count: (\d+)\n/.exec(text) ?? []
  return first !== undefined && text === documentOf(Number(first))
}

async function write(path: string): Promise<void> {
  const { writeWhole } = await import('../../src/config/write.ts')
  for (let count = 1; count < 100_000; count++) {
    process.stdout.write('.')
    writeWhole(path, documentOf(count))
    // So that what was printed is seen between two writes.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

if (process.argv[2] === '--write') await write(process.argv[3]!)
else if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = mkdtempSync(join(tmpdir(), 'lexora-kills-'))
  try {
    const found = await killWriters(Number(process.argv[2] ?? 1000), folder)
    process.stdout.write(`${found.kills} kills, ${found.unreadable} unreadable files\n`)
    if (found.unreadable > 0) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
