import { z } from 'zod'
import { row } from './command-row.ts'
import type { ReloadReport } from './config-view.ts'
import { say } from './sentence.ts'

/** What Lexora speaks to other computers for. `packages`: an engine's, by a child process. */
export type OutboundPurpose = 'backend' | 'hub' | 'updates' | 'packages'

/** Another computer that Lexora has spoken to: never what was asked for there, nor with which key. */
export type OutboundRow = {
  /** With its port, where that is not the usual one. */
  host: string
  purpose: OutboundPurpose
  /** ISO 8601. */
  firstAt: string
  lastAt: string
  /** Requests; of a backend also those that look whether it is well. */
  count: number
  /** Bytes that the connections carried, without those of their encryption. Null: a child process or a proxy carried them. */
  sent: number | null
  received: number | null
}

/** `since`: when the list began. It outlives restarts. By host. */
export type OutboundLines = { since: string; rows: OutboundRow[] }

/** `offline`: since it was asked to, Lexora speaks to nobody (`privacy.offline`). `blocked`: as `privacy.blocked` has it. */
export type OutboundReport = OutboundLines & { offline: boolean; blocked: string[] }

/** A computer that Lexora may not speak to. */
export const blockedPlace = z
  .string(say('is not text'))
  .max(260, say('is too long'))
  .regex(
    /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)(:\d{1,5})?$/,
    say('must be a host without scheme and path, as in "huggingface.co" or "gpu.lan:8000"'),
  )

const args = z.strictObject({ host: blockedPlace })

export const OUTBOUND_COMMANDS = {
  listOutbound: row<OutboundReport>()({
    method: 'GET',
    path: '/admin/outbound',
    cli: ['outbound'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'the other computers that Lexora itself has spoken to: what for, how much and when last; and who is blocked',
  }),
  blockOutbound: row<ReloadReport>()({
    method: 'POST',
    path: '/admin/outbound/block',
    cli: ['outbound', 'block'],
    places: ['host'],
    scope: 'admin:write',
    args,
    about: 'speak to this computer no more: writes it into privacy.blocked',
    answersWithinMs: 120_000,
  }),
  allowOutbound: row<ReloadReport>()({
    method: 'POST',
    path: '/admin/outbound/allow',
    cli: ['outbound', 'allow'],
    places: ['host'],
    scope: 'admin:write',
    args,
    about: 'let Lexora speak to a blocked computer again',
    answersWithinMs: 120_000,
  }),
} as const
