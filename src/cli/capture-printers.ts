import type { Captured, CapturedText, CaptureReport } from '../protocol/captures.ts'
import { bytes, type Column, plain, table } from './format.ts'
import type { Look } from './status-view.ts'

/** What the commands for captures print for people. */
export const CAPTURE_PRINTERS = {
  startCapture: captureLines,
  stopCapture: () => ['Nothing is captured any more, and what was is forgotten.'],
  listCaptures: captureLines,
  readCapture: ({ id, user, endpoint, headers, request, answer }: Captured): string[] => [
    plain(`${id}  ${user ?? 'anonymous'}  ${endpoint}`),
    ...Object.entries(headers).map(([name, value]) => plain(`${name}: ${value}`)),
    ...textLines('Request', request),
    ...textLines('Answer', answer),
  ],
}

function captureLines({ capturing, kept }: CaptureReport, look: Look): string[] {
  const state =
    capturing === null
      ? 'Nothing is captured.'
      : `What ${capturing.user === null ? 'everybody' : plain(capturing.user)} asks is kept until ${capturing.endsAt.slice(11, 19)} UTC.`
  if (kept.length === 0) return [state]
  const columns: Column[] = [
    { title: 'AT' },
    { title: 'ID' },
    { title: 'USER' },
    { title: 'REQUEST', align: 'right' },
    { title: 'ANSWER', align: 'right' },
  ]
  const rows = kept.map(({ at, id, user, requestBytes, answerBytes }) => [
    at.slice(11, 19),
    plain(id),
    plain(user ?? 'anonymous'),
    bytes(requestBytes),
    bytes(answerBytes),
  ])
  return [state, ...table(columns, rows, look.width)]
}

function textLines(name: string, { text, bytes: size, cut }: CapturedText): string[] {
  return ['', `${name} (${bytes(size)}${cut ? ', only its beginning' : ''}):`, ...text.split('\n').map(plain)]
}
