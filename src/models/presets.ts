import { parse } from 'yaml'
import { z } from 'zod'
import type { PresetView } from '../protocol/models.ts'

const GIB = 1024 ** 3

const presetFile = z.strictObject({
  presets: z.array(
    z.strictObject({
      id: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/),
      title: z.string().min(1).max(80),
      repo: z.string().regex(/^[\w.-]+\/[\w.-]+(:[\w.*-]+)?$/),
      kind: z.enum(['chat', 'completion', 'embedding', 'rerank', 'other']),
      parameters: z.string().min(1).max(40),
      bytes: z.int().positive(),
      license: z.string().min(1).max(80),
      context: z.int().positive(),
      min_vram_gib: z.number().positive(),
      args: z.record(z.string().regex(/^[a-z0-9-]+$/), z.union([z.string(), z.number(), z.boolean()])),
      note: z.string().max(200),
    }),
  ),
})

/** The table of presets as text → its rows. Throws with the place of what is wrong. */
export function readPresets(text: string): Omit<PresetView, 'installed'>[] {
  const parsed = presetFile.safeParse(parse(text))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new Error(`models.yaml: ${issue.path.join('.')}: ${issue.message}`)
  }
  return parsed.data.presets.map(({ min_vram_gib, ...row }) => ({ ...row, minVramBytes: min_vram_gib * GIB }))
}
