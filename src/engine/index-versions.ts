import { type Dispatcher, EnvHttpProxyAgent, request } from 'undici'
import type { OfferedVersion } from '../protocol/models.ts'
import { say } from '../protocol/sentence.ts'
import { InstallError } from './installer.ts'

type File = { name: string; at: string | null; yanked: boolean }

const WITHIN_MS = 15_000
const MAX_BYTES = 32 * 2 ** 20
const MAX_OFFERED = 30
const MAX_REDIRECTS = 3
const JSON_TYPE = 'application/vnd.pypi.simple.v1+json'
const PLAIN_RELEASE = /^\d+(\.\d+)*(\.post\d+)?$/

/**
 * The releases of a package that an index has, the newest first: no previews, none that was taken back. `index`: as uv
 * has it, perhaps with a user and a password, which no message repeats. `onRequest` may refuse by what it throws.
 * Rejects with InstallError.
 */
export async function indexVersions(
  index: string,
  name: string,
  onRequest: (url: URL) => void,
  stopped: AbortSignal,
): Promise<OfferedVersion[]> {
  const { username, password, origin, pathname } = new URL(index)
  const credentials = username === '' ? null : `${decoded(username)}:${decoded(password)}`
  const agent = new EnvHttpProxyAgent()
  const signal = AbortSignal.any([stopped, AbortSignal.timeout(WITHIN_MS)])
  try {
    let url = new URL(`${pathname.replace(/\/*$/, '')}/${normalized(name)}/`, origin)
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      onRequest(url)
      const headers: Record<string, string> = { accept: `${JSON_TYPE}, text/html;q=0.5` }
      if (credentials !== null && url.origin === origin)
        headers['authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`
      const answer = await request(url, { headers, signal, dispatcher: agent })
      if (answer.statusCode === 200) return read(await textOf(answer, url), url)
      await answer.body.dump()
      if (answer.statusCode < 300 || answer.statusCode >= 400)
        throw new InstallError(say`${url.host} answers HTTP ${answer.statusCode} for ${name}.`, null)
      url = redirected(url, answer.headers['location'])
    }
    throw useless(url)
  } catch (error) {
    if (error instanceof InstallError) throw error
    const { code, name: kind } = error as NodeJS.ErrnoException
    const why = typeof code === 'string' ? code : kind
    throw new InstallError(
      say`${new URL(origin).host} cannot be reached, or the connection broke (${why}).`,
      say('Check the network, and ask again.'),
    )
  } finally {
    void agent.destroy()
  }
}

/** A `%` that begins no byte stays: people write passwords as they are. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (bytes) => Buffer.from(bytes.replaceAll('%', ''), 'hex').toString())
}

function read(text: string, url: URL): OfferedVersion[] {
  try {
    return releasesIn(text)
  } catch {
    throw useless(url)
  }
}

async function textOf({ body }: Dispatcher.ResponseData, url: URL): Promise<string> {
  const chunks: Buffer[] = []
  let seen = 0
  for await (const chunk of body) {
    seen += (chunk as Buffer).length
    if (seen > MAX_BYTES) throw useless(url)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Never to another protocol, and never from an encrypted one to plain text. */
function redirected(from: URL, location: string | string[] | undefined): URL {
  const text = String(location ?? '')
  if (!URL.canParse(text, from.href)) throw useless(from)
  const to = new URL(text, from.href)
  if (to.protocol !== 'https:' && (to.protocol !== 'http:' || from.protocol !== 'http:')) throw useless(from)
  return to
}

function useless({ host }: URL): InstallError {
  return new InstallError(say`What ${host} answers is no list of packages.`, say('Name a version.'))
}

/** A page of a simple index, as JSON (PEP 691) or HTML (PEP 503). */
export function releasesIn(text: string): OfferedVersion[] {
  const found = new Map<string, OfferedVersion>()
  for (const { name, at, yanked } of text.trimStart().startsWith('{') ? filesOfJson(text) : filesOfHtml(text)) {
    const version = versionOf(name)
    if (version === null || yanked) continue
    const earlier = found.get(version)?.at ?? null
    found.set(version, { version, at: earlier !== null && at !== null && earlier < at ? earlier : (at ?? earlier) })
  }
  return [...found.values()].sort((one, other) => compare(other.version, one.version)).slice(0, MAX_OFFERED)
}

function filesOfJson(text: string): File[] {
  const { files } = JSON.parse(text) as { files?: unknown }
  return (Array.isArray(files) ? files : []).flatMap((file: Record<string, unknown> | null) => {
    const { filename, yanked, 'upload-time': time } = file ?? {}
    if (typeof filename !== 'string') return []
    const at = typeof time === 'string' && !Number.isNaN(Date.parse(time)) ? new Date(time).toISOString() : null
    return [{ name: filename, at, yanked: yanked !== undefined && yanked !== false }]
  })
}

function filesOfHtml(text: string): File[] {
  return [...text.matchAll(/<a\b([^>]*)>([^<]*)<\/a>/gi)].map(([, attributes = '', name = '']) => {
    return { name: name.trim(), at: null, yanked: /\sdata-yanked\b/i.test(attributes) }
  })
}

/** Of `NAME-VERSION-….whl` or `NAME-VERSION.tar.gz`; builds for other libraries, `+cu118`, are no releases. */
function versionOf(file: string): string | null {
  const [, version = ''] =
    /^[A-Za-z0-9._]+(?:-[A-Za-z_][A-Za-z0-9._]*)*-(\d[^-]*?)(?:-.*\.whl|\.tar\.gz)$/.exec(file) ?? []
  return PLAIN_RELEASE.test(version) ? version : null
}

function normalized(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-')
}

function compare(one: string, other: string): number {
  const [a, b] = [numbersOf(one), numbersOf(other)]
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return one.length - other.length
}

function numbersOf(version: string): number[] {
  return (version.match(/\d+/g) ?? []).map(Number)
}
