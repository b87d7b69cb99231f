import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

const PUBLIC_HUB = 'https://huggingface.co'

/** Where the hub's own tools keep what they fetched, and so vLLM: HF_HUB_CACHE, else `hub` in HF_HOME. */
export function hubCache(env: Env, home: string): string {
  return env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'] || join(hubHome(env, home), 'hub')
}

/** The hub itself, without a slash at its end. */
export function hubAddress(env: Env): string {
  return (env['HF_ENDPOINT'] || PUBLIC_HUB).replace(/\/+$/, '')
}

/** As a URL has it. Null: what stands in HF_ENDPOINT is no address, which whoever asks there is told. */
export function hubHost(env: Env): string | null {
  const address = hubAddress(env)
  return URL.canParse(address) ? new URL(address).host : null
}

/** The variable that holds a token and goes before any file; null: none does. */
export function hubTokenVariable(env: Env): string | null {
  return ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'].find((name) => env[name]) ?? null
}

/** Where the hub's own tools keep a token, and look for one. */
export function hubTokenFile(env: Env, home: string): string {
  return env['HF_TOKEN_PATH'] || join(hubHome(env, home), 'token')
}

/** HF_TOKEN, else the one that `hf auth login` left. Null: none. */
export function hubToken(env: Env, home: string): string | null {
  const variable = hubTokenVariable(env)
  if (variable !== null) return env[variable]!.trim()
  try {
    return readFileSync(hubTokenFile(env, home), 'utf8').trim() || null
  } catch {
    return null
  }
}

/** HF_HUB_OFFLINE of whoever started this process. */
export function hubIsOff(env: Env): boolean {
  return /^(1|true|yes|on)$/i.test(env['HF_HUB_OFFLINE'] ?? '')
}

function hubHome(env: Env, home: string): string {
  return env['HF_HOME'] || join(env['XDG_CACHE_HOME'] || join(home, '.cache'), 'huggingface')
}
