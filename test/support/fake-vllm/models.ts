import { type Answer, type Call, type Context, json } from './answer.ts'
import { digest } from './generate.ts'

/** GET /v1/models: the root, its aliases, and the adapters loaded at run time. `created` is the time of the call. */
export function models(_call: Call, { settings, state }: Context): Answer {
  const root = settings.models[0]!
  const served = settings.models.map((name) => card(name, `/models/${root}`, null, settings.maxModelLen))
  const adapters = [...state.loras].map(([name, path]) => card(name, path, root, null))
  return json({ object: 'list', data: [...served, ...adapters] })
}

function card(id: string, root: string, parent: string | null, maxModelLen: number | null) {
  const created = Math.floor(Date.now() / 1000)
  const permission = {
    id: `modelperm-${digest(id)}`,
    object: 'model_permission',
    created,
    allow_create_engine: false,
    allow_sampling: true,
    allow_logprobs: true,
    allow_search_indices: false,
    allow_view: true,
    allow_fine_tuning: false,
    organization: '*',
    group: null,
    is_blocking: false,
  }
  return {
    id,
    object: 'model',
    created,
    owned_by: 'vllm',
    root,
    parent,
    max_model_len: maxModelLen,
    permission: [permission],
  }
}
