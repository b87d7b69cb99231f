import type { Socket } from 'node:net'
import { type Dispatcher, EnvHttpProxyAgent, fetch, request } from 'undici'
import { say } from '../protocol/sentence.ts'
import { countedConnect } from '../telemetry/counted-connect.ts'
import type { ContentHash } from './hash-file.ts'

export type HubFile = { path: string; size: number; hash: ContentHash }

export type HubListing = {
  /** The commit that the revision names now. */
  commit: string
  files: HubFile[]
}

export type HubOptions = {
  /** As `https://huggingface.co`. */
  address: string
  token: string | null
  /** For the answer to begin, and between two parts of it. */
  silenceMs?: number
  /** Told of every request before it is sent, also of one to where the hub leads. What it throws refuses the request. */
  onRequest?: (url: URL) => void
  /** Told of every connection that goes there without a proxy. */
  onSocket?: (address: string, socket: Socket) => void
}

/** Why something of the hub cannot be had. `again`: trying later may help; `afterMs`: the hub's own word on when. */
export class HubError extends Error {
  readonly fix: string | null
  readonly again: boolean
  readonly afterMs: number | null
  /** It can go on as soon as there is room. */
  readonly diskFull: boolean
  /** The model's page, where its terms are accepted; null: it is not a matter of tokens. */
  readonly terms: string | null

  constructor(
    cause: string,
    fix: string | null,
    more: { again?: boolean; afterMs?: number | null; diskFull?: boolean; terms?: string } = {},
  ) {
    super(cause)
    this.fix = fix
    this.again = more.again ?? false
    this.afterMs = more.afterMs ?? null
    this.diskFull = more.diskFull ?? false
    this.terms = more.terms ?? null
  }
}

const SILENCE_MS = 60_000
const MAX_REDIRECTS = 5
const MAX_FILES = 20_000
const MAX_TEXT_BYTES = 4 * 2 ** 20
/** A hub that says more is not waited for by a machine. */
const MAX_AFTER_MS = 300_000

/** A hub as Hugging Face's. Its token goes to its own address only, and into no message. */
export class Hub {
  private readonly options: HubOptions
  private readonly silenceMs: number
  private madeAgent: Dispatcher | undefined

  constructor(options: HubOptions) {
    this.options = options
    this.silenceMs = options.silenceMs ?? SILENCE_MS
  }

  get address(): string {
    return this.options.address
  }

  /** All files of a repository, with their hashes. Rejects with HubError. */
  async list(repo: string, revision: string, signal: AbortSignal): Promise<HubListing> {
    // It is large, and most commands never need it.
    const { listFiles, modelInfo } = await import('@huggingface/hub')
    const given = { hubUrl: this.address, fetch: this.fetchFor(signal) }
    try {
      const info = await modelInfo({ name: repo, revision, additionalFields: ['sha'], ...given })
      const commit: unknown = info.sha
      if (typeof commit !== 'string' || !/^[0-9a-f]{40}$/.test(commit)) throw strange(`${repo} has no commit`)
      const files: HubFile[] = []
      for await (const entry of listFiles({ repo, revision: commit, recursive: true, ...given })) {
        if (entry.type !== 'file') continue
        if (files.length >= MAX_FILES) throw strange(`${repo} has more than ${MAX_FILES} files`)
        files.push(checkedFile(entry))
      }
      return { commit, files }
    } catch (error) {
      signal.throwIfAborted()
      throw this.explained(error, repo, revision)
    }
  }

  /** A small file as text; null: there is none. */
  async text(repo: string, commit: string, path: string, signal: AbortSignal): Promise<string | null> {
    const answer = await this.open(repo, commit, path, 0, signal)
    if (answer === null) return null
    let text = ''
    for await (const chunk of answer.body) {
      text += String(chunk)
      if (text.length > MAX_TEXT_BYTES) throw strange(`${path} of ${repo} is larger than ${MAX_TEXT_BYTES} bytes`)
    }
    return text
  }

  /**
   * The content of a file from a place on. `from` of the answer is where it begins: 0 where the hub does not go on in
   * the middle. Null: there is nothing from there on.
   */
  async open(
    repo: string,
    commit: string,
    path: string,
    from: number,
    signal: AbortSignal,
  ): Promise<{ from: number; body: Dispatcher.ResponseData['body'] } | null> {
    const name = path.split('/').map(encodeURIComponent).join('/')
    let url = new URL(`${this.address}/${repo}/resolve/${commit}/${name}`)
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const answer = await this.ask(url, from, signal)
      const { statusCode, headers, body } = answer
      if (statusCode === 200) return { from: 0, body }
      if (statusCode === 206) return { from: placeOf(headers['content-range']), body }
      await body.dump()
      if (statusCode === 416) return null
      if (statusCode < 300 || statusCode >= 400) throw this.refused(statusCode, repo, commit, headers['retry-after'])
      url = redirected(url, headers['location'])
    }
    throw strange(`${path} of ${repo} is redirected without an end`)
  }

  private async ask(url: URL, from: number, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const headers: Record<string, string> = { 'accept-encoding': 'identity', ...this.credentials(url) }
    if (from > 0) headers['range'] = `bytes=${from}-`
    this.options.onRequest?.(url)
    try {
      const limits = { headersTimeout: this.silenceMs, bodyTimeout: this.silenceMs }
      return await request(url, { headers, signal, dispatcher: this.agent, ...limits })
    } catch (error) {
      signal.throwIfAborted()
      throw unreachable(url, error)
    }
  }

  private get agent(): Dispatcher {
    const { onSocket = () => {} } = this.options
    this.madeAgent ??= new EnvHttpProxyAgent({ connect: countedConnect(onSocket) })
    return this.madeAgent
  }

  /** Where a redirect leads it is nobody's business who we are. */
  private credentials(url: URL): Record<string, string> {
    const { token, address } = this.options
    return token !== null && url.origin === new URL(address).origin ? { authorization: `Bearer ${token}` } : {}
  }

  private fetchFor(signal: AbortSignal): typeof globalThis.fetch {
    return (async (input: Parameters<typeof fetch>[0], init: Parameters<typeof fetch>[1]) => {
      let url = new URL(typeof input === 'object' && 'url' in input ? input.url : input)
      for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
        const headers = { ...(init?.headers as Record<string, string>), ...this.credentials(url) }
        this.options.onRequest?.(url)
        const answer = await fetch(url, {
          ...init,
          headers,
          redirect: 'manual',
          dispatcher: this.agent,
          signal: AbortSignal.any([signal, AbortSignal.timeout(this.silenceMs)]),
        })
        if (answer.status < 300 || answer.status >= 400) return answer
        await answer.body?.cancel()
        url = redirected(url, answer.headers.get('location') ?? undefined)
      }
      throw strange(say('it redirects without an end'))
    }) as unknown as typeof globalThis.fetch
  }

  private explained(error: unknown, repo: string, revision: string): HubError {
    if (error instanceof HubError) return error
    const { statusCode } = error as { statusCode?: unknown }
    if (typeof statusCode === 'number') return this.refused(statusCode, repo, revision)
    if (error instanceof SyntaxError) return strange(say('it sent something that is no JSON'))
    return unreachable(new URL(this.address), error)
  }

  private refused(status: number, repo: string, revision: string, after?: string | string[]): HubError {
    const host = new URL(this.address).host
    const page = `${this.address}/${repo}`
    if (status === 401 || status === 403) {
      const isKnown = this.options.token !== null
      const cause = isKnown
        ? say`${host} does not let your token read ${repo} (HTTP ${status}).`
        : say`${host} does not show ${repo} to everybody (HTTP ${status}).`
      const fix = isKnown
        ? say`Accept its terms at ${page}, or give Lexora a token that may read it: lexora hub token, or HF_TOKEN.`
        : say`It does not exist, or is private or gated: accept its terms at ${page}, and give Lexora a token that may read it: lexora hub token, or HF_TOKEN.`
      return new HubError(cause, fix, { terms: page })
    }
    if (status === 404) {
      const cause =
        revision === 'main'
          ? say`There is no ${repo} on ${host}.`
          : say`There is no ${repo} at revision ${revision} on ${host}.`
      return new HubError(cause, say('Check its name, as in Qwen/Qwen3-8B.'))
    }
    if (status === 429) {
      const afterMs = waitOf(after)
      return new HubError(say`${host} asks to come later (HTTP 429).`, say('A token in HF_TOKEN has higher limits.'), {
        again: true,
        afterMs,
      })
    }
    return new HubError(say`${host} answers HTTP ${status}.`, null, { again: status >= 500 || status === 408 })
  }
}

function waitOf(header: string | string[] | undefined): number | null {
  const seconds = Number(header)
  return header !== undefined && Number.isFinite(seconds) && seconds >= 0
    ? Math.min(seconds * 1000, MAX_AFTER_MS)
    : null
}

function placeOf(range: string | string[] | undefined): number {
  const from = /^bytes (\d+)-/.exec(String(range))?.[1]
  if (from === undefined) throw strange('it sent a part without saying which')
  return Number(from)
}

/** Never to another protocol, and never from an encrypted one to plain text. */
function redirected(from: URL, location: string | string[] | undefined): URL {
  const text = String(location ?? '')
  if (!URL.canParse(text, from.href)) throw strange(say('it redirects to nowhere'))
  const to = new URL(text, from.href)
  const isSafe = to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:')
  if (!isSafe)
    throw new HubError(say`${from.host} redirects to ${to.protocol}//${to.host}, which is not followed.`, null)
  return to
}

/** Names become paths on this machine, and hashes become names. */
function checkedFile({
  path,
  size,
  oid,
  lfs,
}: {
  path: string
  size: number
  oid?: string
  lfs?: { oid: string; size: number }
}): HubFile {
  const parts = path.split('/')
  const isPlain =
    parts.length <= 8 && parts.every((part) => /^[^\\/:*?"<>|\p{Cc}]{1,200}$/u.test(part) && !/^\.\.?$/.test(part))
  if (!isPlain) throw strange(say`it lists a file with the name '${path.slice(0, 100)}'`)
  const hash: ContentHash = lfs === undefined ? { kind: 'git', hex: oid ?? '' } : { kind: 'sha256', hex: lfs.oid }
  const bytes = lfs?.size ?? size
  const isHash = hash.kind === 'git' ? /^[0-9a-f]{40}$/.test(hash.hex) : /^[0-9a-f]{64}$/.test(hash.hex)
  if (!isHash || !Number.isSafeInteger(bytes) || bytes < 0)
    throw strange(say`it lists '${path}' without a usable size or hash`)
  return { path, size: bytes, hash }
}

function strange(why: string): HubError {
  return new HubError(say`The hub's answer is of no use: ${why}.`, null)
}

function unreachable(url: URL, error: unknown): HubError {
  const { code, name, cause } = error as { code?: string; name?: string; cause?: { code?: string } }
  const why = cause?.code ?? code ?? name ?? 'error'
  return new HubError(
    say`${url.host} cannot be reached, or the connection broke (${why}).`,
    say('Check the network, and ask again.'),
    {
      again: true,
    },
  )
}
