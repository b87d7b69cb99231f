import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'

/** How the hub names content: large files by SHA-256, others as git does. */
export type ContentHash = { kind: 'sha256' | 'git'; hex: string }

/** Up to here a thread of its own would cost more than it saves. */
const SMALL_BYTES = 2 ** 20

/** It runs by itself, so that gigabytes are not hashed where requests are served. */
const WORK = `
const { parentPort, workerData } = require('node:worker_threads')
const { createHash } = require('node:crypto')
const { openSync, readSync, closeSync } = require('node:fs')
const { path, kind, size } = workerData
const hash = createHash(kind === 'git' ? 'sha1' : 'sha256')
if (kind === 'git') hash.update('blob ' + size + '\\0')
const file = openSync(path, 'r')
const bytes = Buffer.allocUnsafe(2 ** 20)
for (let read = 0; (read = readSync(file, bytes, 0, bytes.length, null)) > 0; ) hash.update(bytes.subarray(0, read))
closeSync(file)
parentPort.postMessage(hash.digest('hex'))
`

/** What the name of a blob says; null: it is no hash. */
export function hashOfName(name: string): ContentHash | null {
  if (/^[0-9a-f]{64}$/.test(name)) return { kind: 'sha256', hex: name }
  return /^[0-9a-f]{40}$/.test(name) ? { kind: 'git', hex: name } : null
}

/** The hash of a file's content as hex. Rejects as reading does, and with the signal's reason when aborted. */
export async function hashFile(path: string, kind: ContentHash['kind'], signal?: AbortSignal): Promise<string> {
  const { size } = await stat(path)
  signal?.throwIfAborted()
  if (size <= SMALL_BYTES) {
    const hash = createHash(kind === 'git' ? 'sha1' : 'sha256')
    if (kind === 'git') hash.update(`blob ${size}\0`)
    return hash.update(await readFile(path)).digest('hex')
  }
  const worker = new Worker(WORK, { eval: true, workerData: { path, kind, size } })
  const stop = (): void => void worker.terminate()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    return await new Promise<string>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', () => reject(signal?.reason ?? new Error('the hash was not finished')))
    })
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}
