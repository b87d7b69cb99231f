import { useEffect, useRef, useState } from 'react'
import type { FitReport, ModelView, PresetView } from '../src/protocol/models.ts'
import { newEngine } from '../src/protocol/new-engine.ts'
import { useActions, useToasts } from './actions.ts'
import { useAsked } from './asked.ts'
import { useT } from './i18n/index.ts'
import { useSnapshot, useWorld } from './stores.ts'
import { reasonOf } from './view-models/log.ts'

/** Models on the disk, on their way, and proposed; asked again when something comes or an engine appears. */
export function useModels() {
  const { client } = useWorld()
  const { pulls: moving = [], engines } = useSnapshot()
  const key = engines.map(({ name }) => name).join(' ')
  const list = useAsked(async () => await client.commands.listModels(), { everyMs: 15_000 })
  const models = { ...list, value: list.value?.models ?? null }
  const pulls = useAsked(async () => (await client.commands.listPulls()).pulls, { everyMs: 5000 })
  const presets = useAsked(async () => (await client.commands.presets()).presets)
  const open = moving.length
  const { again: models2 } = list
  const { again: pulls2 } = pulls
  const { again: presets2 } = presets
  // biome-ignore lint/correctness/useExhaustiveDependencies: a pull that comes or goes, and another engine, are reasons
  useEffect(() => {
    void Promise.all([models2(), pulls2(), presets2()])
  }, [open, key, models2, pulls2, presets2])
  const seen = new Map((pulls.value ?? []).map((pull) => [pull.id, pull]))
  for (const pull of moving) seen.set(pull.id, pull)
  return {
    models,
    disk: list.value?.disk ?? null,
    presets,
    pulls: [...seen.values()],
    again: async () => void (await Promise.all([models2(), pulls2(), presets2()])),
  }
}

/** Whether each of them fits, one question after another; null: it cannot be told. With other engines `running` all is asked again. */
export function useFits(models: readonly ModelView[] | null, running: string): ReadonlyMap<string, FitReport | null> {
  const { client } = useWorld()
  const [fits, setFits] = useState<ReadonlyMap<string, FitReport | null>>(new Map())
  const asked = useRef(new Set<string>())
  const wanted = (models ?? []).filter(({ complete }) => complete).map(({ id }) => id)
  const key = `${running}\n${wanted.join('\n')}`
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the list
  useEffect(() => {
    let open = true
    const ask = async (): Promise<void> => {
      for (const model of wanted.slice(0, 50)) {
        if (!open || asked.current.has(`${running} ${model}`)) continue
        asked.current.add(`${running} ${model}`)
        const fit = await client.commands.fitModel({ model }).catch(() => null)
        if (open) setFits((before) => new Map(before).set(model, fit))
      }
    }
    void ask()
    return () => {
      open = false
    }
  }, [client, key])
  return fits
}

/** Memory of the GPUs that engines of ours hold, by engine. Looked at only while any runs. */
export function useHeld(isAny: boolean): ReadonlyMap<string, number> {
  const { client } = useWorld()
  const { value } = useAsked(async () => (isAny ? ((await client.commands.gpu({ who: true })).holders ?? []) : []), {
    everyMs: 10_000,
    key: String(isAny),
  })
  const held = new Map<string, number>()
  for (const { engine, bytes } of value ?? []) {
    if (engine !== null) held.set(engine, (held.get(engine) ?? 0) + (bytes ?? 0))
  }
  return held
}

/** Starts a model: by its engine where the configuration has one, else it gets one first. */
export function useStartModel(): (
  model: Pick<ModelView, 'id' | 'path' | 'source' | 'format'>,
  engine: string | null,
  preset?: PresetView | null,
) => Promise<string | null> {
  const t = useT()
  const { client } = useWorld()
  const { engines } = useSnapshot()
  const toasts = useToasts()
  const { told } = useActions()
  return async (model, engine, preset = null) => {
    if (engine !== null) {
      await told(client.commands.startEngine({ engine }), t('done.started', { engine }))
      return engine
    }
    const made = newEngine(
      model,
      engines.map(({ name }) => name),
      preset,
    )
    try {
      await client.commands.setConfig({ changes: [{ path: made.path, value: made.value }] })
      await client.commands.startEngine({ engine: made.name })
      toasts.say(t('models.engineMade', { engine: made.name }))
      return made.name
    } catch (error) {
      toasts.fail(t('failed.command', { reason: t.said(reasonOf(error)) }))
      return null
    }
  }
}
