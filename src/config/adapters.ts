/** `name=path`, as vLLM's own --lora-modules takes them; a path may hold further equals signs. */
const PLAIN = /^([^=\s]+)=(.+)$/

/**
 * The LoRA adapters that an engine's `args.lora-modules` names: name → path. An entry is `name=path`, or JSON with
 * `name` and `path`; one that is neither is left out and named in `wrong`.
 */
export function adaptersOf(args: Readonly<Record<string, unknown>>): {
  adapters: Map<string, string>
  wrong: string[]
} {
  const given = args['lora-modules'] ?? args['lora_modules'] ?? []
  const adapters = new Map<string, string>()
  const wrong: string[] = []
  for (const entry of Array.isArray(given) ? given : [given]) {
    const found = readEntry(String(entry))
    if (found === null || adapters.has(found.name)) wrong.push(String(entry))
    else adapters.set(found.name, found.path)
  }
  return { adapters, wrong }
}

function readEntry(text: string): { name: string; path: string } | null {
  const [, name, path] = PLAIN.exec(text) ?? []
  if (name !== undefined && path !== undefined && !text.startsWith('{')) return { name, path }
  try {
    const value = JSON.parse(text) as { name?: unknown; path?: unknown } | null
    return typeof value?.name === 'string' && typeof value.path === 'string'
      ? { name: value.name, path: value.path }
      : null
  } catch {
    return null
  }
}

const known = new WeakMap<object, ReadonlyMap<string, string>>()

/** Name → path of all adapters of one engine of the configuration. */
export function namesOf(engine: {
  kind: string
  args: Readonly<Record<string, unknown>>
}): ReadonlyMap<string, string> {
  const found = known.get(engine) ?? (engine.kind === 'vllm' ? adaptersOf(engine.args).adapters : new Map())
  known.set(engine, found)
  return found
}
