import type { Server } from './rig.ts'

export const USERS = ['kim', 'sato', 'anna', 'ci-batch', 'ci-batch', 'marco', 'raj', 'lena']

/** Callers that keep asking until they are told to stop. */
export function keepBusy(server: Server, users: readonly string[], model: string): () => Promise<void> {
  const ended = new AbortController()
  const loops = users.map(async (user, i) => {
    while (!ended.signal.aborted) {
      const body = JSON.stringify({
        model,
        stream: i % 4 !== 3,
        max_tokens: 40 + 15 * i,
        messages: [{ role: 'user', content: 'Tell me about gates and queues. '.repeat(1 + i) }],
      })
      await fetch(`${server.origin}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-lexora-user': user },
        body,
        signal: ended.signal,
      })
        .then((response) => response.text())
        .catch(() => undefined)
    }
  })
  return async () => {
    ended.abort()
    await Promise.all(loops)
  }
}
