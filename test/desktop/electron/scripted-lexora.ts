/** A Lexora that is in whatever state a test wants, for as long as it wants, and writes down what it is asked for. */
import { writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { lexoraPaths } from '../../../src/config/paths.ts'
import type { AppSnapshot } from '../../../src/protocol/snapshot.ts'

export type ScriptedLexora = {
  show: (snapshot: AppSnapshot) => void
  /** Path and body of every command so far that does something. */
  asked: string[]
  close: () => void
}

/** It stands in the run file of this home, so that a shell with that home attaches to it. */
export async function scriptLexora(home: string, first: AppSnapshot): Promise<ScriptedLexora> {
  const watchers = new Set<ServerResponse>()
  const asked: string[] = []
  let now = first
  const tell = (watcher: ServerResponse): void => {
    watcher.write(`event: snapshot\ndata: ${JSON.stringify(now)}\n\n`)
  }
  const server = createServer(async (request, response) => {
    const { method, url = '' } = request
    let body = ''
    for await (const chunk of request) body += String(chunk)
    if (url === '/admin/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      watchers.add(response)
      response.once('close', () => watchers.delete(response))
      return tell(response)
    }
    if (method === 'POST') asked.push(`${url} ${body}`.trim())
    const error = { message: 'It is only a script.', type: 'invalid_request_error', param: null, code: 'not_found' }
    response.writeHead(method === 'POST' ? 200 : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(method === 'POST' ? {} : { error }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { runFile } = lexoraPaths({ env: { LEXORA_HOME: home }, platform: process.platform, home, cwd: home })
  const record = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: 'a-session-of-a-test',
    pid: process.pid,
    process: null,
    startedAt: first.server.startedAt,
    version: first.server.version,
  }
  writeFileSync(runFile, JSON.stringify(record), { mode: 0o600 })
  return {
    asked,
    show: (snapshot) => {
      now = snapshot
      for (const watcher of watchers) tell(watcher)
    },
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
