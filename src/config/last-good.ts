import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { writeWhole } from './write.ts'

/** Where the last configuration file that Lexora ran by is kept, word for word. */
function lastGoodPath(stateDir: string): string {
  return join(stateDir, 'lexora_config.last-good.yaml')
}

/** Keeps it. A disk that is full costs the copy, nothing else: answers what the system said, or null. */
export function keepLastGood(stateDir: string, text: string): string | null {
  try {
    writeWhole(lastGoodPath(stateDir), text)
    return null
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

/** For who finds the file broken; null where none is kept. */
export function foundLastGood(stateDir: string): string | null {
  const path = lastGoodPath(stateDir)
  return existsSync(path) ? path : null
}
