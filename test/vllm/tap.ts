/** Stands between Lexora and vLLM and remembers what vLLM said: no question gets the same bytes twice. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

export type Said = { status: number; type: string | null; body: string }

export type Tap = {
  url: string
  /** vLLM's whole answer to the last POST. */
  said: () => Promise<Said>
  stop: () => Promise<void>
}

export async function startTap(vllmUrl: string): Promise<Tap> {
  let last: Promise<Said> | null = null
  const server = createServer((request, response) => {
    const said = passOn(vllmUrl, request, response)
    said.catch(() => response.destroy())
    if (request.method === 'POST') last = said
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    said: () => last ?? Promise.reject(new Error('vLLM was not asked anything')),
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function passOn(vllmUrl: string, request: IncomingMessage, response: ServerResponse): Promise<Said> {
  const asked = await buffer(request)
  const answer = await fetch(`${vllmUrl}${request.url}`, {
    method: request.method ?? 'GET',
    headers: { 'content-type': request.headers['content-type'] ?? 'application/json' },
    ...(asked.length > 0 ? { body: asked } : {}),
  })
  const type = answer.headers.get('content-type')
  response.writeHead(answer.status, type ? { 'content-type': type } : {})
  const parts: Uint8Array[] = []
  for await (const part of answer.body ?? []) {
    parts.push(part)
    response.write(part)
  }
  response.end()
  return { status: answer.status, type, body: Buffer.concat(parts).toString() }
}
