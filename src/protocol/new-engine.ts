import type { ModelView, PresetView } from './models.ts'

/** The last part of an id, as people say it. */
export function shortName(id: string): string {
  const [repo = id, file] = id.split(/:(?=[^/]*$)/)
  return file ?? repo.replace(/\/+$/, '').split('/').at(-1) ?? id
}

/** A setting of the configuration that lets Lexora start this model: a name nobody has yet, and what it needs. */
export function newEngine(
  model: Pick<ModelView, 'id' | 'path' | 'source' | 'format'>,
  taken: readonly string[],
  preset: Pick<PresetView, 'args'> | null = null,
): { name: string; path: string; value: Record<string, unknown> } {
  const stem = engineStem(shortName(model.id))
  let name = stem
  for (let nth = 2; taken.includes(name); nth++) name = `${stem}-${nth}`
  const isGguf = model.format === 'gguf'
  const value = {
    ...(isGguf ? { kind: 'llama-server' } : {}),
    model: isGguf || model.source === 'folder' ? model.path : model.id,
    served_name: name,
    port: 0,
    ...(preset === null || isGguf || Object.keys(preset.args).length === 0 ? {} : { args: preset.args }),
  }
  return { name, path: `engines.${name}`, value }
}

function engineStem(text: string): string {
  const plain = text
    .replace(/\.gguf$/i, '')
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z0-9]+|-+$/g, '')
  return plain.slice(0, 48) || 'model'
}
