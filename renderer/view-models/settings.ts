import type { ConfigEntry } from '../../src/protocol/config-view.ts'
import type { MessageKey, Translate } from '../i18n/index.ts'

/** The sections of the screen, and the settings that stand in each, by the beginning of their paths. */
export const SECTIONS = {
  general: [],
  network: ['server', 'ui', 'metrics.port'],
  access: ['auth'],
  engines: ['engines'],
  backends: ['vllm', 'default_model', 'routing', 'fallback'],
  limits: ['rate_limit', 'queue', 'timeouts', 'retry'],
  data: ['cache', 'logging', 'metrics', 'telemetry'],
  privacy: ['privacy'],
  updates: [],
  advanced: [],
} as const satisfies Record<string, readonly string[]>

export type Section = keyof typeof SECTIONS

export const SECTION_NAMES = Object.keys(SECTIONS) as Section[]

export function sectionOf(path: string): Section {
  const fits = (prefix: string): boolean => path === prefix || path.startsWith(`${prefix}.`)
  return SECTION_NAMES.find((name) => SECTIONS[name].some(fits)) ?? 'advanced'
}

/** What a setting is called and does. One that has no words of its own says its path, and what the schema says of it. */
export function wordsOf(
  { path, doc }: Pick<ConfigEntry, 'path' | 'doc'>,
  { settings }: Pick<Translate, 'settings'>,
): { label: string; effect: string } {
  const words = settings[patternOf(path)]
  return words === undefined ? { label: path, effect: doc } : { label: words[0], effect: words[1] }
}

const NAMED = [/^(engines)\.[^.]+(?=\.)/, /^(routing\.backends)\.[^.]+(?=\.)/]

/** `engines.qwen.port` → `engines.*.port`. */
export function patternOf(path: string): string {
  const named = NAMED.find((pattern) => pattern.test(path))
  return named === undefined ? path : path.replace(named, '$1.*')
}

/** The engine or backend that a setting belongs to; null: to none of them. */
export function ownerOf(path: string): string | null {
  return /^(?:engines|routing\.backends)\.([^.]+)\./.exec(path)?.[1] ?? null
}

/** What stands in a section beside the settings of the file, and the words that a search looks in. */
const PARTS = {
  language: ['general', 'set.language', 'set.languageWhy'],
  theme: ['general', 'set.theme', 'set.themeWhy'],
  density: ['general', 'set.density', 'set.densityWhy'],
  autostart: ['general', 'set.autostart', 'set.autostartWhy'],
  firstRun: ['general', 'set.firstRun', 'set.firstRunWhy'],
  startAtLogin: ['general', 'desk.startAtLogin', 'desk.startAtLoginWhy'],
  onClose: ['general', 'desk.onClose', 'desk.onCloseWhy'],
  trayIcon: ['general', 'desk.trayIcon', 'desk.trayIconWhy'],
  notifications: ['general', 'desk.notices', 'desk.noticesWhy'],
  lan: ['network', 'lan.title', 'lan.isClosed'],
  tls: ['network', 'tls.title'],
  folders: ['data', 'set.folders', 'set.backup'],
  updates: ['updates', 'desk.updates'],
  raw: ['advanced', 'raw.file', 'raw.reload'],
  capture: ['privacy', 'capture.title', 'capture.policy'],
  outbound: ['privacy', 'out.title'],
} as const satisfies Record<string, readonly [Section, ...MessageKey[]]>

export type Part = keyof typeof PARTS

/** What the file calls them. */
const PATHS: Partial<Record<Part, string>> = { lan: 'server.host', tls: 'server.tls', outbound: 'privacy' }

/** Rows of the desktop app, which a browser does not have. */
const DESKTOP: readonly Part[] = ['startAtLogin', 'onClose', 'trayIcon', 'notifications', 'updates']

/** Which of them a section or a search shows. */
export function shownParts(section: Section, search: string, t: Translate, isDesktop: boolean): Set<Part> {
  const wanted = search.trim().toLowerCase()
  const all = (Object.keys(PARTS) as Part[]).filter((part) => isDesktop || !DESKTOP.includes(part))
  const fits = (part: Part): boolean => {
    const [home, ...keys] = PARTS[part]
    if (wanted === '') return home === section
    const words = [PATHS[part] ?? '', ...keys.map((key) => t(key))].join(' ')
    return isSectionNamed(home, wanted, t) || words.toLowerCase().includes(wanted)
  }
  return new Set(all.filter(fits))
}

/** A section is found by the beginning of its name; one or two letters would find nearly all. */
function isSectionNamed(section: Section, wanted: string, t: Translate): boolean {
  const name = t(`set.section.${section}`).toLowerCase()
  return name.startsWith(wanted) && wanted.length >= Math.min(3, name.length)
}

export type SettingGroup = { owner: string | null; entries: ConfigEntry[] }

/** What a section or a search shows, engine by engine. Users of the file stand on the screen Users, and TLS has a row of its own kind. */
export function settingGroups(
  entries: readonly ConfigEntry[],
  section: Section,
  search: string,
  t: Translate,
): SettingGroup[] {
  const wanted = search.trim().toLowerCase()
  const groups: SettingGroup[] = []
  for (const entry of entries) {
    if (entry.path.startsWith('rate_limit.users.') || entry.path === 'server.tls') continue
    const { label, effect } = wordsOf(entry, t)
    const home = sectionOf(entry.path)
    const fits =
      wanted === ''
        ? home === section
        : isSectionNamed(home, wanted, t) || `${entry.path} ${label} ${effect}`.toLowerCase().includes(wanted)
    if (!fits) continue
    const owner = ownerOf(entry.path)
    const group = groups.find((one) => one.owner === owner)
    if (group === undefined) groups.push({ owner, entries: [entry] })
    else group.entries.push(entry)
  }
  return groups
}

/** How a setting is changed. `lines`: one `name: value` a line. `names`: their values are never shown. `fixed`: only in the file. */
export type Control =
  | { is: 'switch' }
  | { is: 'choice'; options: string[] }
  | { is: 'number' }
  | { is: 'text'; secret: boolean }
  | { is: 'list' }
  | { is: 'lines' }
  | { is: 'names' }
  | { is: 'fixed' }

export function controlOf({ kind, value, secret, path }: ConfigEntry): Control {
  if (kind === 'true or false') return { is: 'switch' }
  const kinds = kind.split(' or ')
  if (secret && kind !== 'text') return { is: 'fixed' }
  if (kinds.length > 1 && kinds.every((one) => !one.startsWith('a ') && one !== 'text'))
    return { is: 'choice', options: kinds }
  if (kinds.includes('a list')) return isPlainList(value) ? { is: 'list' } : { is: 'fixed' }
  if (kinds.includes('a map')) {
    if (/\.(env|headers)$/.test(path)) return { is: 'names' }
    const isOpen = path.endsWith('.args') || path.endsWith('.model_mapping') || path === 'routing.aliases'
    return isOpen && isFlatMap(value) ? { is: 'lines' } : { is: 'fixed' }
  }
  return kind === 'a number' || kind === 'a whole number' ? { is: 'number' } : { is: 'text', secret }
}

/** A value of such a name is hidden also while it is typed. */
export function isSecretName(name: string): boolean {
  return /key|token|secret|passw|auth|credential/i.test(name)
}

function isPlainList(value: unknown): boolean {
  return !Array.isArray(value) || value.every((item) => typeof item !== 'object')
}

function isFlatMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item !== 'object')
}

/** A value as it stands in its field. */
export function fieldText({ value, secret }: Pick<ConfigEntry, 'value' | 'secret'>, control: Control): string {
  if (value === null || value === undefined || (secret && control.is === 'text') || control.is === 'names') return ''
  if (control.is === 'lines')
    return Object.entries(value)
      .map(([name, item]) => `${name}: ${String(item)}`)
      .join('\n')
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** What stands where a setting cannot be changed. */
export function fixedText(entry: Pick<ConfigEntry, 'value' | 'secret'>, control: Control, t: Translate): string {
  const { value } = entry
  if (control.is === 'names') return Object.keys((value ?? {}) as object).join(', ') || t('set.none')
  if (control.is !== 'fixed') return fieldText(entry, control) || t('set.none')
  const names = Array.isArray(value) ? [`${value.length}`] : Object.keys((value ?? {}) as object)
  return names.length === 0 || names[0] === '0' ? t('set.inFile') : `${names.join(', ')} · ${t('set.inFile')}`
}

/** Names lose their values with it, and nobody sees which: each of them is taken away by itself. */
export function canReset({ source, locked }: Pick<ConfigEntry, 'source' | 'locked'>, { is }: Control): boolean {
  return source === 'file' && !locked && is !== 'fixed' && is !== 'names'
}

export type Typed = { ok: true; value: unknown } | { ok: false; bad: 'set.bad.number' | 'set.bad.line'; at: string }

/** What was typed → the value that the file gets. Nothing typed: the default holds again. */
export function typedValue(text: string, control: Control, { kind }: Pick<ConfigEntry, 'kind'>): Typed {
  const plain = text.trim()
  const good = (value: unknown): Typed => ({ ok: true, value })
  switch (control.is) {
    case 'switch':
      return good(plain === 'true')
    case 'choice':
      return good(/^\d+$/.test(plain) ? Number(plain) : plain)
    case 'number':
      if (plain === '') return good(null)
      return isNumeral(plain) ? good(Number(plain)) : { ok: false, bad: 'set.bad.number', at: plain }
    case 'list': {
      const items = plain
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '')
      if (items.length === 0) return good(null)
      return good(kind.startsWith('text') && items.length === 1 ? items[0] : items)
    }
    case 'lines':
      return readLines(plain)
    default:
      if (plain === '') return good(null)
      return good(kind.includes('number') && isNumeral(plain) ? Number(plain) : plain)
  }
}

function isNumeral(text: string): boolean {
  return /^-?\d+(\.\d+)?$/.test(text)
}

function readLines(text: string): Typed {
  const map: Record<string, unknown> = {}
  for (const line of text
    .split('\n')
    .map((one) => one.trim())
    .filter((one) => one !== '')) {
    const [, name, rest] = /^([^:\s]+)\s*:\s*(.*)$/.exec(line) ?? []
    if (name === undefined) return { ok: false, bad: 'set.bad.line', at: line }
    map[name] = scalarOf(rest ?? '')
  }
  return { ok: true, value: Object.keys(map).length === 0 ? null : map }
}

function scalarOf(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  return isNumeral(text) ? Number(text) : text.replace(/^(["'])(.*)\1$/, '$2')
}

/** All engines start with Lexora, or none does: what has to change for that, and how many do now. */
export function autostartOf(entries: readonly ConfigEntry[]): {
  count: number
  on: number
  changes: (on: boolean) => { path: string; value: boolean }[]
} {
  const found = entries.filter(({ path }) => patternOf(path) === 'engines.*.autostart')
  return {
    count: found.length,
    on: found.filter(({ value }) => value === true).length,
    changes: (on) =>
      found.filter(({ value, locked }) => !locked && value !== on).map(({ path }) => ({ path, value: on })),
  }
}

/** Of a refusal of the whole configuration, what it says of this setting. */
export function refusalOf(message: string, path: string): string {
  const lines = message.split('\n')
  const own = lines.find((line) => line.includes(path)) ?? lines[1] ?? lines[0] ?? ''
  const at = own.indexOf(`${path}: `)
  return (at === -1 ? own : own.slice(at + path.length + 2)).trim()
}

/** What a section's reset takes out of the file: plain settings, not the engines and backends that somebody made. */
export function resettable(entries: readonly ConfigEntry[], section: Section): string[] {
  return entries
    .filter(({ path, source, locked }) => source === 'file' && !locked && sectionOf(path) === section)
    .map(({ path }) => path)
    .filter((path) => ownerOf(path) === null && path !== 'auth.api_keys' && !path.startsWith('rate_limit.users'))
}
