/** The few calls of undici that the shell makes, on Node 16's own http. */
import { request as ask, type IncomingMessage } from 'node:http'

type Options = {
  method: string
  headers: Record<string, string>
  body: string | null
  signal?: AbortSignal
}

/** Connections are Node's own here, so nobody asks for one. */
export function buildConnector() {
  return (): never => {
    throw new Error('this build connects by node:http')
  }
}

export class Agent {
  async close(): Promise<void> {}
}

export async function request(url: string, { method, headers, body, signal }: Options) {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = ask(url, { method, headers, signal }, resolve)
    sent.once('error', reject)
    sent.end(body ?? undefined)
  })
  const json = async (): Promise<unknown> => {
    let text = ''
    for await (const chunk of answer) text += String(chunk)
    return JSON.parse(text)
  }
  return { statusCode: answer.statusCode, headers: answer.headers, body: Object.assign(answer, { json }) }
}
