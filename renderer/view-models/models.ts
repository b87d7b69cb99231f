import type { ModelEntry } from '../../src/protocol/snapshot.ts'

/** Names of ready models, those that chat first: others cannot answer a message. */
export function chatModels(models: readonly ModelEntry[]): string[] {
  const ready = models.filter(({ state }) => state === 'ready').map(({ id }) => id)
  const chats = ready.filter((id) => !/embed|rerank|bge|whisper|tts/i.test(id))
  return chats.length > 0 ? chats : ready
}
