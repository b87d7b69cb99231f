import { z } from 'zod'
import { row } from './command-row.ts'

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
}

/** `since`: when the list began, with this process. By host. */
export type OutboundLines = { since: string; rows: OutboundRow[] }

/** `offline`: since it was asked to, Lexora speaks to nobody (`privacy.offline`). */
export type OutboundReport = OutboundLines & { offline: boolean }

export const OUTBOUND_COMMANDS = {
  listOutbound: row<OutboundReport>()({
    method: 'GET',
    path: '/admin/outbound',
    cli: ['outbound'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'the other computers that Lexora itself has spoken to since it started, what for and when last',
  }),
} as const
