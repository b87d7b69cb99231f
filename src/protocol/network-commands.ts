import { z } from 'zod'
import { row } from './command-row.ts'
import type { ReloadReport } from './config-view.ts'
import type { LanReport } from './lan.ts'
import { say } from './sentence.ts'

/** A web page that was turned away for its origin, and that somebody may let in. */
export type RefusedOrigin = {
  origin: string
  firstAt: string
  lastAt: string
  times: number
}

/** Who has a port of this machine. `pid` and `program` null: nobody has it, or the system does not tell. */
export type PortUse = {
  port: number
  state: 'free' | 'used' | 'own'
  pid: number | null
  program: string | null
}

/** What makes it an origin says the schema of the configuration, which the window does not carry. */
const args = z.strictObject({
  origin: z.string(say('is not text')).min(1, say('is empty')).max(512, say('is too long')),
})

/** Who may reach this Lexora, as far as it is decided while it runs. */
export const NETWORK_COMMANDS = {
  listOrigins: row<{ origins: RefusedOrigin[] }>()({
    method: 'GET',
    path: '/admin/origins',
    cli: ['origins'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'web pages that were turned away and wait to be allowed',
  }),
  allowOrigin: row<ReloadReport>()({
    method: 'POST',
    path: '/admin/origins/allow',
    cli: ['origins', 'allow'],
    places: ['origin'],
    scope: 'admin:write',
    args,
    about: 'let the pages of an origin call: writes it into server.cors_origins',
    answersWithinMs: 120_000,
  }),
  checkPort: row<PortUse>()({
    method: 'GET',
    path: '/admin/port',
    cli: ['port'],
    places: ['port'],
    scope: 'admin:read',
    args: z.strictObject({ port: z.union([z.number(), z.string().max(16)], say('is not a number')) }),
    about: 'whether a port of this machine is free, and who listens on it',
  }),
  checkLan: row<LanReport>()({
    method: 'GET',
    path: '/admin/lan',
    cli: ['lan', 'check'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'what is answered through each address of this machine to who shows no key',
    ownWords: true,
    answersWithinMs: 30_000,
  }),
  forgetOrigin: row<{ forgotten: string }>()({
    method: 'POST',
    path: '/admin/origins/forget',
    cli: ['origins', 'forget'],
    places: ['origin'],
    scope: 'admin:write',
    args,
    about: 'take an origin off the list of those that wait; it stays shut out',
  }),
} as const
