import { namesOf } from '../config/adapters.ts'
import { postJson } from './http.ts'
import type { EngineConfig } from './launch.ts'
import type { Serving } from './supervision.ts'

/** Reading an adapter from a slow disk. */
const LOADED_WITHIN_MS = 120_000

/** The LoRA adapters of one engine: loaded when they are first asked for, and again by every run that follows. */
export class Adapters {
  private serving: Serving | null = null
  /** By the run that serves now: what was sent to it, and what came of that. */
  private sent = new Map<string, Promise<string | null>>()
  private readonly ready = new Set<string>()
  /** Asked for in an earlier run. */
  private readonly wanted = new Set<string>()

  /** It serves, or does so no more. Another run knows nothing of what was loaded before. */
  serves(serving: Serving | null, config: EngineConfig): void {
    if (serving === null || serving === this.serving) return
    this.serving = serving
    this.sent = new Map()
    this.ready.clear()
    for (const name of this.wanted) void this.prepare(name, config)
  }

  /** Null: this model can be asked now. Else resolves once it can, with null, or with what went wrong. */
  prepare(model: string, config: EngineConfig): Promise<string | null> | null {
    const path = namesOf(config).get(model)
    if (path === undefined || this.serving === null || this.ready.has(model)) return null
    const known = this.sent.get(model)
    if (known !== undefined) return known
    const loading = this.load(this.serving, model, path)
    this.sent.set(model, loading)
    return loading
  }

  private async load(serving: Serving, model: string, path: string): Promise<string | null> {
    const body = { lora_name: model, lora_path: path }
    const port = Number(new URL(serving.url).port)
    const { status, text, error } = await postJson(port, '/v1/load_lora_adapter', serving.key, LOADED_WITHIN_MS, body)
    // A Lexora before this one may have loaded it.
    const isThere = status === 200 || (status === 400 && text.includes('already been loaded'))
    if (serving !== this.serving) return null
    if (isThere) {
      this.ready.add(model)
      this.wanted.add(model)
      return null
    }
    // The next request tries it again: the file may be there by then.
    this.sent.delete(model)
    return error ?? messageOf(text) ?? `status ${status}`
  }
}

function messageOf(text: string): string | null {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } }
    return typeof error?.message === 'string' ? error.message : null
  } catch {
    return null
  }
}
