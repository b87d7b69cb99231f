import type { AppCommands, CommandName } from '../protocol/commands.ts'
import type { RequestView } from '../protocol/snapshot.ts'
import { type Column, duration, plain, table } from './format.ts'
import { type Look, statusLines } from './status-view.ts'

type ResultOf<Name extends CommandName> = Awaited<ReturnType<AppCommands[Name]>>

/** What each command prints for people; `--json` prints the result itself. */
export const PRINTERS: { [Name in CommandName]: (result: ResultOf<Name>, look: Look) => string[] } = {
  snapshot: statusLines,
  listRequests: ({ requests }, look) => requestLines(requests, look),
  cancelRequest: ({ cancelled }) => [`Cancelled ${plain(cancelled)}.`],
  pause: () => ['Paused: new requests are answered 503; what waits and runs goes on.'],
  resume: () => ['Serving again.'],
}

function requestLines(requests: readonly RequestView[], { width, paint }: Look): string[] {
  if (requests.length === 0) return ['No request is in flight.']
  const columns: Column[] = [
    { title: 'AGE', align: 'right' },
    { title: 'PHASE' },
    { title: 'USER' },
    { title: 'MODEL' },
    { title: 'BACKEND' },
    { title: 'ENDPOINT' },
    { title: 'ID' },
  ]
  const rows = requests.map(({ id, phase, user, endpoint, stream, model, backend, attempts, ageMs }) => [
    duration(ageMs),
    attempts > 1 ? `${phase}, try ${attempts}` : phase,
    plain(user ?? 'anonymous'),
    plain(model ?? '-'),
    plain(backend ?? '-'),
    stream ? `${endpoint} stream` : endpoint,
    id,
  ])
  const [head = '', ...body] = table(columns, rows, width)
  return [paint('dim', head), ...body]
}
