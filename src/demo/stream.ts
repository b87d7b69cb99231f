import type { ServerResponse } from 'node:http'
import type { Dialect } from './chat.ts'
import type { Meter } from './metrics.ts'
import { tokenizer } from './tokenizer.ts'

/** About forty tokens a second: a pace to read along with. */
const TOKEN_MS = 25

/** Sends an answer piece by piece. A client that leaves stops it at once. */
export function sendStream(response: ServerResponse, dialect: Dialect, meter: Meter): void {
  const { pieces, promptTokens, finish } = dialect.generation
  const end = meter.begin(promptTokens)
  let timer: NodeJS.Timeout | undefined
  let whole = false

  response.on('close', () => {
    clearTimeout(timer)
    end(whole ? finish : 'abort')
  })
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  for (const event of dialect.opening) send(event)
  next(0)

  function next(at: number): void {
    const piece = pieces[at] ?? ''
    const tokens = tokenizer.encode(piece).length
    timer = setTimeout(() => {
      const last = at >= pieces.length - 1
      send(dialect.chunk(piece, last))
      meter.generated(tokens)
      if (last) finishUp()
      else next(at + 1)
    }, tokens * TOKEN_MS)
  }

  function finishUp(): void {
    for (const event of dialect.closing) send(event)
    whole = true
    response.end('data: [DONE]\n\n')
  }

  function send(event: object): void {
    response.write(`data: ${JSON.stringify(event)}\n\n`)
  }
}
