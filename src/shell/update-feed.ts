import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Dispatcher, request } from 'undici'
import { parse } from 'yaml'
import {
  feedAddress,
  type InstallKind,
  manifestName,
  type UpdateFile,
  updateVerdict,
} from '../policy/update-verdict.ts'
import type { UpdateRefusal } from '../protocol/desktop.ts'

/** Where updates come from, and whose signature they bear. */
export type Feed = { url: string; key: KeyObject; via?: Dispatcher }

export type Offer = { version: string; file: UpdateFile }

/** What is refused, by its name. */
export class Refused extends Error {
  readonly why: UpdateRefusal

  constructor(why: UpdateRefusal, detail: string) {
    super(detail)
    this.why = why
  }
}

const MANIFEST_BYTES = 64 * 1024
const SIGNATURE_BYTES = 1024
const MANIFEST_WITHIN_MS = 30_000
const FILE_WITHIN_MS = 3_600_000
const RAW_KEY = /^[A-Za-z0-9+/]{43}=$/

/** A setting `{feed, key}`; the key is 32 bytes of Ed25519 in base64. Null: none is set. A text says what is wrong. */
export function readFeed(given: unknown): Feed | string | null {
  if (given === undefined || given === null) return null
  const { feed, key } = given as Record<string, unknown>
  if (feed === undefined || feed === null) return null
  if (typeof feed !== 'string') return 'updates.feed is not a text'
  const address = feedAddress(feed)
  if (!address.ok) return `updates.feed ${address.why}`
  if (typeof key !== 'string' || !RAW_KEY.test(key))
    return 'updates.key is not an Ed25519 key: 32 bytes in base64, as packaging/sign-feed.mjs prints it'
  const x = key.replaceAll('+', '-').replaceAll('/', '_').slice(0, -1)
  return { url: address.url, key: createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } }) }
}

/** What the signature of a manifest is made of: the name is in it, so that no other manifest can stand in its place. */
function signedBytes(name: string, manifest: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`lexora update\n${name}\n`), manifest])
}

/** Reads the manifest, and looks at nothing in it before its signature. Null: there is nothing newer. */
export async function readOffer(
  feed: Feed,
  about: { version: string; kind: InstallKind; arch: string },
  signal: AbortSignal,
): Promise<Offer | null> {
  const name = manifestName(about.kind, about.arch)
  const manifest = await small(feed, name, MANIFEST_BYTES, 'manifest', signal)
  const signature = await small(feed, `${name}.sig`, SIGNATURE_BYTES, 'unsigned', signal)
  const isOurs = verify(
    null,
    signedBytes(name, manifest),
    feed.key,
    Buffer.from(signature.toString('latin1'), 'base64'),
  )
  if (!isOurs) throw new Refused('signature', `${name} is not signed by the key of the feed`)
  const verdict = updateVerdict(parsed(manifest), about)
  if (verdict.is === 'refused') throw new Refused(verdict.why, `${name} offers nothing that can be installed here`)
  return verdict.is === 'none' ? null : { version: verdict.version, file: verdict.file }
}

/** Fetches what was offered into a folder of ours, and answers its path. Whatever is not what was signed is gone at once. */
export async function fetchOffer(feed: Feed, { file }: Offer, folder: string, signal: AbortSignal): Promise<string> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, file.name)
  const part = `${path}.part`
  try {
    await writeChecked(feed, file, part, signal)
    await chmod(part, 0o600)
    await rename(part, path)
    return path
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Once more, before it is installed: it lay on a disk meanwhile. */
export async function isStillWhole(path: string, { size, sha512 }: UpdateFile): Promise<boolean> {
  const hash = createHash('sha512')
  let seen = 0
  const file = await open(path, 'r')
  try {
    for await (const chunk of file.createReadStream({ autoClose: false })) {
      hash.update(chunk as Buffer)
      seen += (chunk as Buffer).length
    }
  } finally {
    await file.close()
  }
  return seen === size && hash.digest('base64') === sha512
}

async function writeChecked(feed: Feed, { name, size, sha512 }: UpdateFile, part: string, signal: AbortSignal) {
  const hash = createHash('sha512')
  let seen = 0
  const file = await open(part, 'wx', 0o600)
  try {
    for await (const chunk of await answered(
      feed,
      name,
      'no-package',
      AbortSignal.any([signal, AbortSignal.timeout(FILE_WITHIN_MS)]),
    )) {
      seen += chunk.length
      if (seen > size) throw new Refused('size', `${name} is larger than it should be`)
      hash.update(chunk)
      await file.write(chunk)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  if (seen !== size) throw new Refused('size', `${name} has ${seen} bytes and should have ${size}`)
  if (hash.digest('base64') !== sha512) throw new Refused('hash', `${name} is not what was signed`)
}

async function small(feed: Feed, name: string, most: number, why: UpdateRefusal, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  let seen = 0
  const within = AbortSignal.any([signal, AbortSignal.timeout(MANIFEST_WITHIN_MS)])
  for await (const chunk of await answered(feed, name, why, within)) {
    seen += chunk.length
    if (seen > most) throw new Refused(why, `${name} is larger than ${most} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** `missing`: what it means that there is no such file. Redirects are refused, wherever they lead. */
async function answered(
  feed: Feed,
  name: string,
  missing: UpdateRefusal,
  signal: AbortSignal,
): Promise<AsyncIterable<Buffer>> {
  const url = new URL(name, feed.url).href
  const via = feed.via === undefined ? {} : { dispatcher: feed.via }
  const answer = await request(url, { method: 'GET', headers: {}, body: null, signal, ...via }).catch(
    (error: unknown) => {
      throw new Refused('unreachable', `${url}: ${(error as Error).message}`)
    },
  )
  const { statusCode: status, body } = answer
  if (status === 200) return readable(body, url)
  // What is cut off says so.
  body.on('error', () => {})
  body.destroy()
  if (status >= 300 && status < 400)
    throw new Refused('redirect', `${url} answers ${status}: a feed may not lead elsewhere`)
  throw new Refused(status === 404 ? missing : 'unreachable', `${url} answers ${status}`)
}

async function* readable(body: AsyncIterable<Buffer>, url: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield chunk
  } catch (error) {
    throw new Refused('unreachable', `${url}: ${(error as Error).message}`)
  }
}

function parsed(manifest: Buffer): unknown {
  try {
    return parse(manifest.toString('utf8'))
  } catch {
    return null
  }
}
