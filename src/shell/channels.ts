import { z } from 'zod'
import { DESKTOP_VERBS, type DesktopView, desktopPreferences, UPDATE_REFUSALS } from '../protocol/desktop.ts'

/** The channels between the window and the main process, and what may travel on them. Both sides check. */

export const CHANNELS = {
  call: 'lexora:call',
  watch: 'lexora:watch',
  snapshot: 'lexora:snapshot',
  send: 'lexora:send',
  cancel: 'lexora:cancel',
  news: 'lexora:news',
  desktopRead: 'lexora:desktop-read',
  desktopChange: 'lexora:desktop-change',
  desktopDo: 'lexora:desktop-do',
  desktopTold: 'lexora:desktop-told',
} as const

export const PLATFORM_SWITCH = '--lexora-platform='

/** Of the window. */
export const callShape = z.strictObject({ name: z.string().max(64), args: z.record(z.string(), z.unknown()) })
export const sendShape = z.strictObject({
  id: z.number().int().nonnegative(),
  request: z.strictObject({
    path: z
      .string()
      .max(512)
      .regex(/^\/v1\/[\w/.-]*$/, 'does not begin with /v1/')
      .refine((path) => !path.split('/').includes('..'), 'leads out of /v1/'),
    body: z.string().max(64 * 1024 * 1024),
    headers: z.record(z.string().regex(/^[\w-]{1,64}$/), z.string().max(1024)),
    key: z.string().max(4096).nullable(),
  }),
})
export const idShape = z.number().int().nonnegative()
export const verbShape = z.enum(DESKTOP_VERBS)

/** Of the main process. */
export const newsShape = z.strictObject({
  id: z.number().int().nonnegative(),
  news: z.discriminatedUnion('is', [
    z.strictObject({ is: z.literal('head'), status: z.number(), headers: z.record(z.string(), z.string()) }),
    z.strictObject({ is: z.literal('chunk'), text: z.string() }),
    z.strictObject({ is: z.literal('end') }),
    z.strictObject({ is: z.literal('failed'), reason: z.string() }),
  ]),
})
export const snapshotShape = z.looseObject({ revision: z.number(), server: z.looseObject({}) }).nullable()
export const callResultShape = z.union([
  z.strictObject({ ok: z.literal(true), result: z.unknown() }),
  z.strictObject({ ok: z.literal(false), problem: z.looseObject({ message: z.string() }) }),
])
export const platformShape = z.strictObject({
  os: z.enum(['linux', 'windows', 'macos', 'other']),
  attached: z.boolean(),
})
const updateShape = z.discriminatedUnion('is', [
  z.strictObject({ is: z.literal('off'), why: z.enum(['no-feed', 'bad-feed', 'no-way', 'offline', 'blocked']) }),
  z.strictObject({ is: z.enum(['waiting', 'checking', 'none']) }),
  z.strictObject({ is: z.literal('loading'), version: z.string() }),
  z.strictObject({ is: z.literal('ready'), version: z.string(), asked: z.boolean() }),
  z.strictObject({ is: z.literal('refused'), why: z.enum(UPDATE_REFUSALS) }),
])
export const viewShape = z.strictObject({
  preferences: desktopPreferences,
  updates: updateShape,
  autostart: z.discriminatedUnion('is', [
    z.strictObject({ is: z.literal('can') }),
    z.strictObject({ is: z.literal('cannot'), reason: z.string() }),
  ]),
  sandboxed: z.boolean(),
  hasTray: z.boolean(),
  attachedTo: z.strictObject({ pid: z.number(), address: z.string() }).nullable(),
  versions: z.strictObject({ lexora: z.string(), electron: z.string(), chrome: z.string(), node: z.string() }),
}) satisfies z.ZodType<DesktopView>
export const changedShape = z.union([
  z.strictObject({ ok: z.literal(true), view: viewShape }),
  z.strictObject({ ok: z.literal(false), message: z.string() }),
])
