import { request } from 'node:http'

/** `status` 0: no answer, and `error` says why. */
export type Answer = { status: number; body: unknown; text: string; error: string | null }

const MAX_BODY_BYTES = 8 * 1024 * 1024

export async function getJson(port: number, path: string, key: string | null, timeoutMs: number): Promise<Answer> {
  return await ask(port, path, key, timeoutMs, null)
}

export async function postJson(
  port: number,
  path: string,
  key: string | null,
  timeoutMs: number,
  body: unknown,
): Promise<Answer> {
  return await ask(port, path, key, timeoutMs, JSON.stringify(body))
}

/** One question to an engine on this machine, on a connection of its own: a shared one could tell of another process. */
async function ask(
  port: number,
  path: string,
  key: string | null,
  timeoutMs: number,
  body: string | null,
): Promise<Answer> {
  return await new Promise((resolve) => {
    const headers: Record<string, string> = { connection: 'close' }
    if (key !== null) headers['authorization'] = `Bearer ${key}`
    if (body !== null) headers['content-type'] = 'application/json'
    const call = request({
      host: '127.0.0.1',
      port,
      path,
      method: body === null ? 'GET' : 'POST',
      headers,
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    })
    const failed = (error: Error): void =>
      resolve({ status: 0, body: null, text: '', error: (error as NodeJS.ErrnoException).code ?? error.name })
    call.once('error', failed)
    call.once('response', (response) => {
      const parts: Buffer[] = []
      let bytes = 0
      response.once('error', failed)
      response.on('data', (part: Buffer) => {
        bytes += part.length
        if (bytes > MAX_BODY_BYTES) response.destroy(new Error('too long'))
        else parts.push(part)
      })
      response.once('end', () => {
        const text = Buffer.concat(parts).toString('utf8')
        resolve({ status: response.statusCode ?? 0, body: parsed(text), text, error: null })
      })
    })
    call.end(body ?? undefined)
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
