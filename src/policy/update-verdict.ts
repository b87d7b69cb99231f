import type { UpdateRefusal } from '../protocol/desktop.ts'

/** How this Lexora was installed, where an installation of that kind can be replaced by a newer one. */
export type InstallKind = 'AppImage' | 'deb' | 'rpm' | 'nsis'

/** One installer of a feed. `name` is a plain file name: it stands beside the manifest. `sha512`: in base64. */
export type UpdateFile = { name: string; size: number; sha512: string }

export type UpdateVerdict =
  | { is: 'none' }
  | { is: 'offered'; version: string; file: UpdateFile }
  | { is: 'refused'; why: UpdateRefusal }

const ENDING: Record<InstallKind, string> = { AppImage: '.AppImage', deb: '.deb', rpm: '.rpm', nsis: '.exe' }
const VERSION = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})$/
/** No folder, no blank, nothing that a shell would read: such a name reaches a command line of the system's installer. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
const SHA512 = /^[A-Za-z0-9+/]{86}==$/
const MOST_BYTES = 1024 ** 3

/** What a manifest offers to this version and kind. It has been signed by the feed's key; refused on any doubt all the same. */
export function updateVerdict(
  manifest: unknown,
  { version, kind }: { version: string; kind: InstallKind },
): UpdateVerdict {
  if (!isMap(manifest)) return refused('manifest')
  const offered = manifest['version']
  if (typeof offered !== 'string' || !VERSION.test(offered)) return refused('manifest')
  const order = compareVersions(offered, version)
  if (order === 0) return { is: 'none' }
  if (order < 0) return refused('downgrade')
  const files = manifest['files']
  if (!Array.isArray(files)) return refused('manifest')
  const ours = files.filter((one: unknown) => isMap(one) && String(one['url']).endsWith(ENDING[kind]))
  const [first] = ours as Record<string, unknown>[]
  if (first === undefined || ours.length > 1) return refused('no-package')
  const { url: name, size, sha512 } = first
  if (typeof name !== 'string' || !NAME.test(name)) return refused('manifest')
  if (typeof sha512 !== 'string' || !SHA512.test(sha512)) return refused('manifest')
  if (typeof size !== 'number' || !Number.isInteger(size) || size <= 0) return refused('manifest')
  if (size > MOST_BYTES) return refused('size')
  return { is: 'offered', version: offered, file: { name, size, sha512 } }
}

/** Below 0: `a` is older. What is no version counts as the newest there is: nothing replaces what cannot be compared. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)]
  if (right === null) return -1
  if (left === null) return 1
  for (const [i, number] of left.entries()) {
    const difference = number - right[i]!
    if (difference !== 0) return difference
  }
  return 0
}

export type FeedVerdict = { ok: true; url: string } | { ok: false; why: string }

/** A feed's address, ending in a slash. Beyond this machine it must be HTTPS. */
export function feedAddress(text: string): FeedVerdict {
  if (!URL.canParse(text)) return { ok: false, why: 'is not an address' }
  const url = new URL(text)
  const isHere = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHere))
    return { ok: false, why: 'must begin with https:// (http:// only for this machine)' }
  if (url.username !== '' || url.password !== '') return { ok: false, why: 'may not hold a user or a password' }
  if (url.search !== '' || url.hash !== '') return { ok: false, why: 'may not hold a query or a fragment' }
  return { ok: true, url: url.href.endsWith('/') ? url.href : `${url.href}/` }
}

/** Its name as electron-builder writes it. */
export function manifestName(kind: InstallKind, arch: string): string {
  if (kind === 'nsis') return 'latest.yml'
  return arch === 'x64' ? 'latest-linux.yml' : `latest-linux-${arch}.yml`
}

function numbersOf(version: string): number[] | null {
  const parts = VERSION.exec(version)
  return parts === null ? null : parts.slice(1).map(Number)
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refused(why: UpdateRefusal): UpdateVerdict {
  return { is: 'refused', why }
}
