import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { request } from 'undici'
import { freePort } from './ports.ts'

export type Canary = {
  /** The `vllm` of an environment. */
  program: string
  model: string
  env: Readonly<Record<string, string | undefined>>
  onLine: (line: string) => void
  signal: AbortSignal
}

/** A cold start of a small model: imports, kernels, graphs. */
const READY_MS = 900_000
const ANSWER_MS = 120_000
const LOOK_MS = 500
const KEPT_LINES = 10

/** Starts it on a free port of loopback and lets it say one token. Answers null, or why it did not. Nothing of it is left. */
export async function tryModel({ program, model, env, onLine, signal }: Canary): Promise<string | null> {
  const port = await freePort()
  const name = 'canary'
  const words = ['serve', model, '--host', '127.0.0.1', '--port', String(port), '--served-model-name', name]
  const small = ['--max-num-seqs', '2', '--max-model-len', '512', '--enforce-eager']
  const child = spawn(program, [...words, ...small], {
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, VLLM_NO_USAGE_STATS: '1', DO_NOT_TRACK: '1', NO_COLOR: '1' } as NodeJS.ProcessEnv,
  })
  const lines: string[] = []
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split(/[\r\n]+/)) if (line.trim() !== '') lines.push(line.trim())
      lines.splice(0, lines.length - KEPT_LINES)
      if (lines.length > 0) onLine(lines.at(-1)!)
    })
  }
  let ended: string | null = null
  child.once('error', (error) => (ended = error.message))
  child.once('exit', (code, by) => (ended = `it ended with ${code ?? by}: ${lines.at(-1) ?? ''}`))
  const stop = (): void => endGroup(child)
  process.once('exit', stop)
  try {
    const deadline = performance.now() + READY_MS
    const url = `http://127.0.0.1:${port}`
    while (!(await isUp(url))) {
      if (ended !== null) return ended
      if (signal.aborted) return 'it was cancelled'
      if (performance.now() > deadline) return 'it did not become ready in a quarter of an hour'
      await pause(LOOK_MS)
    }
    return await firstToken(url, name)
  } finally {
    stop()
    process.removeListener('exit', stop)
  }
}

async function isUp(url: string): Promise<boolean> {
  try {
    const { statusCode, body } = await request(`${url}/v1/models`, { headersTimeout: 5000, bodyTimeout: 5000 })
    await body.dump()
    return statusCode === 200
  } catch {
    return false
  }
}

async function firstToken(url: string, model: string): Promise<string | null> {
  const ask = async (path: string, body: object) => {
    const limits = { headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS }
    const headers = { 'content-type': 'application/json' }
    const answer = await request(url + path, { method: 'POST', headers, body: JSON.stringify(body), ...limits })
    return { status: answer.statusCode, text: await answer.body.text() }
  }
  try {
    const told = await ask('/v1/completions', { model, prompt: 'Hello', max_tokens: 1 })
    if (told.status === 200) return null
    // A model of vectors has no completions.
    const vector = await ask('/v1/embeddings', { model, input: 'Hello' })
    return vector.status === 200 ? null : `it answers HTTP ${told.status}: ${told.text.slice(0, 200)}`
  } catch (error) {
    return `it does not answer (${(error as NodeJS.ErrnoException).code ?? (error as Error).name})`
  }
}

/** vLLM leaves its engine behind when only its first process ends. */
function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}
