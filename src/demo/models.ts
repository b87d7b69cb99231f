import { Problem } from './problem.ts'
import type { Fields } from './request-body.ts'

export const CHAT_MODEL = 'demo-chat'
export const EMBEDDING_MODEL = 'demo-embed'
export const MODELS = [CHAT_MODEL, EMBEDDING_MODEL]
export const MAX_MODEL_LEN = 8192

/** The body of GET /v1/models, as vLLM writes it. */
export function modelList(nowMs: number) {
  const created = Math.floor(nowMs / 1000)
  const card = (id: string) => ({
    id,
    object: 'model',
    created,
    owned_by: 'vllm',
    root: id,
    parent: null,
    max_model_len: MAX_MODEL_LEN,
    permission: [],
  })
  return { object: 'list', data: MODELS.map(card) }
}

/** Refuses a model that this route does not serve; none at all is the one it does. */
export function requireModel({ model }: Fields, served: string): void {
  if (model === undefined || model === null || model === served) return
  throw new Problem(404, `The model \`${model}\` does not exist. Valid aliases: ${served}.`, 'NotFoundError', 'model')
}
