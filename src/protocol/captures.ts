import { z } from 'zod'
import { row } from './command-row.ts'
import { say } from './sentence.ts'

/** Whose requests are written down just now, and until when. */
export type CaptureView = {
  /** Null: everybody's. */
  user: string | null
  /** ISO 8601. */
  endsAt: string
}

/** One request that was captured; its texts are asked for one by one. */
export type CapturedRow = {
  id: string
  at: string
  user: string | null
  endpoint: string
  requestBytes: number
  answerBytes: number
}

/** A body as it was sent, less what looks like a secret. */
export type CapturedText = {
  text: string
  /** Of the whole. */
  bytes: number
  /** Only its beginning was kept. */
  cut: boolean
}

export type Captured = Omit<CapturedRow, 'requestBytes' | 'answerBytes'> & {
  headers: Record<string, string>
  request: CapturedText
  answer: CapturedText
}

export type CaptureReport = { capturing: CaptureView | null; kept: CapturedRow[] }

/** What requests and answers say, for ten minutes, in memory, and only while an operator wants it. */
export const CAPTURE_COMMANDS = {
  startCapture: row<CaptureReport>()({
    method: 'POST',
    path: '/admin/captures/start',
    cli: ['capture', 'start'],
    scope: 'admin:write',
    args: z.strictObject({ user: z.string().min(1, say('is empty')).max(128, say('is too long')).optional() }),
    about: 'keep what requests and answers say, in memory, for ten minutes; of one user, or of all',
  }),
  stopCapture: row<CaptureReport>()({
    method: 'POST',
    path: '/admin/captures/stop',
    cli: ['capture', 'stop'],
    scope: 'admin:write',
    args: z.strictObject({}),
    about: 'end the capture and forget everything that it kept',
  }),
  listCaptures: row<CaptureReport>()({
    method: 'GET',
    path: '/admin/captures',
    cli: ['capture'],
    scope: 'admin:read',
    args: z.strictObject({}),
    about: 'whose requests are captured, and which were',
  }),
  readCapture: row<Captured>()({
    // It changes nothing, but who read what somebody wrote is to be found in the audit log.
    method: 'POST',
    path: '/admin/captures/{id}/read',
    cli: ['capture', 'show'],
    scope: 'admin:write',
    args: z.strictObject({ id: z.string().regex(/^[\w.:-]{1,128}$/, say('is not a request id')) }),
    about: 'what one captured request and its answer said',
  }),
} as const
