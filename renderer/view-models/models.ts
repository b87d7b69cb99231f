import type { ModelEntry } from '../../src/protocol/snapshot.ts'
import type { MessageKey } from '../i18n/index.ts'

/** Names of models that answer now or once their engine runs, ready ones and those that chat first: others cannot answer a message. */
export function chatModels(models: readonly ModelEntry[]): string[] {
  const asked = [
    ...models.filter(({ state }) => state === 'ready'),
    ...models.filter(({ state }) => state === 'starting' || state === 'on_demand'),
  ].map(({ id }) => id)
  const chats = asked.filter((id) => !/embed|rerank|bge|whisper|tts/i.test(id))
  return chats.length > 0 ? chats : asked
}

/** What a request to this model meets before it is answered; null: nothing. */
export function beforeAnswer(models: readonly ModelEntry[], model: string): MessageKey | null {
  const state = models.find(({ id }) => id === model)?.state
  if (state === 'on_demand') return 'verdict.says.onDemand'
  return state === 'starting' ? 'verdict.says.startingWait' : null
}
