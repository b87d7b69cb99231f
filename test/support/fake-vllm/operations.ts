import { type Answer, type Call, type Context, json, type Step, text } from './answer.ts'
import { empty, openAiError } from './errors.ts'
import { metricsText } from './metrics.ts'
import { readBody } from './validate.ts'

export const health = (_call: Call, { settings }: Context): Answer =>
  settings.core?.healthy() === false ? { ...empty(), status: 503 } : empty()
export const version = (_call: Call, { settings }: Context): Answer => json({ version: settings.version })
export const kvEventSources = (): Answer => json({})

/** Without --enable-server-load-tracking the load is always 0. */
export function load(_call: Call, { settings, state }: Context): Answer {
  return json({ server_load: settings.serverLoad ? state.engine.load() : 0 })
}

export function metrics(_call: Call, context: Context): Answer {
  return text(metricsText(context), 'text/plain; version=1.0.0; charset=utf-8')
}

/** With the slash another exporter answers: older format, chunked. */
export function metricsWithSlash(_call: Call, context: Context): Answer {
  const body: Step[] = [{ do: 'send', text: metricsText(context) }]
  return { ...text('', 'text/plain; version=0.0.4; charset=utf-8'), body }
}

export function sleep({ query }: Call, { settings, state }: Context): Answer {
  const level = Number(query.get('level') ?? 1)
  state.engine.sleep(level)
  settings.core?.sleeps(true)
  return json({ status: 'sleeping', level })
}

/** Of the tags only `weights` alone leaves it asleep: its cache is still missing. */
export function wakeUp({ query }: Call, { settings, state }: Context): Answer {
  settings.core?.sleeps(false)
  if (query.getAll('tags').join() === 'weights') return json({ status: 'awake', tags: ['weights'] })
  state.engine.resume()
  return json({ status: 'awake', tags: null })
}

/** After a sleep of level 2 its weights are read again; until then it answers garbage. */
export function collectiveRpc({ headers, body }: Call, { state }: Context): Answer {
  const { method } = readBody(headers, body, { method: 'string!' }) as { method: string }
  if (method === 'reload_weights') state.engine.reload()
  return json({ results: [null] })
}

export function pauseEngine(_call: Call, { state }: Context): Answer {
  state.engine.pause()
  return json({ status: 'paused' })
}

export function resume(_call: Call, { state }: Context): Answer {
  state.engine.resume()
  return json({ status: 'resumed' })
}

export const isSleeping = (_call: Call, { state }: Context): Answer =>
  json({ is_sleeping: state.engine.sleeping() > 0 })
export const isPaused = (_call: Call, { state }: Context): Answer => json({ is_paused: state.engine.paused() })

export function resetPrefixCache(_call: Call, { state }: Context): Answer {
  state.cachedPrompts.clear()
  return json({ success: true })
}

export function scaleOutDisabled(): Answer {
  return openAiError(
    403,
    'Scale-out endpoints are disabled. Restart vllm serve with --enable-scale-out to enable them.',
  )
}

/** Only its schema is kept: no gateway forwards it. */
export function generativeScoring({ headers, body }: Call): Answer {
  readBody(headers, body, { query: 'any!', items: 'any!', label_token_ids: 'any!' })
  return openAiError(501, 'The fake does not score generatively.')
}
