import { parseArgs } from 'node:util'
import { EXIT } from '../app/exit-codes.ts'
import { checkLan } from '../app/lan-check.ts'
import type { Machine } from '../config/paths.ts'
import type { LanReport } from '../protocol/lan.ts'
import { findServer } from './find-server.ts'
import { type Column, plain, table } from './format.ts'

const WIDTH = 160

type Io = Machine & { out: (text: string) => void; err: (text: string) => void }

/** `lexora lan check`: what others would reach of the Lexora of this user. Answers the exit code. */
export async function runLan(argv: readonly string[], io: Io): Promise<number> {
  const parsed = parse(argv)
  if (typeof parsed === 'string') {
    io.err(`lexora lan: ${parsed}\nusage: lexora lan check  [--key KEY] [--json]\n`)
    return EXIT.usage
  }
  const found = await findServer({ host: null, key: null }, io)
  if (!found.ok) {
    io.err(`${found.message}\n`)
    return found.why === 'refused' ? EXIT.auth : EXIT.notRunning
  }
  const { protocol, port } = new URL(found.target.address)
  const secure = protocol === 'https:'
  const report = await checkLan({ port: Number(port) || (secure ? 443 : 80), secure, key: parsed.key })
  io.out(parsed.json ? `${JSON.stringify(report, null, 2)}\n` : `${lanLines(report).join('\n')}\n`)
  return EXIT.ok
}

export function lanLines({ port, addresses, advice }: LanReport): string[] {
  const columns: Column[] = ['ADDRESS', 'FOR', 'HEALTH', 'MODELS', 'METRICS', 'ADMIN', 'WINDOW', 'WITH KEY'].map(
    (title) => ({ title }),
  )
  const rows = addresses.map(({ address, reach, open, withKey }) => [
    plain(`${address}:${port}`),
    reach,
    ...['/healthz', '/v1/models', '/metrics', '/admin/snapshot', '/ui/'].map((path) => words(open[path])),
    withKey === null ? '-' : words(withKey),
  ])
  return [...table(columns, rows, WIDTH), ...(advice.length === 0 ? [] : ['']), ...advice.map(plain)]
}

function words(answer: number | string | undefined): string {
  if (typeof answer !== 'number') return plain(answer ?? 'unknown')
  if (answer === 401 || answer === 403) return `needs a key`
  return answer < 400 ? 'open' : String(answer)
}

function parse(argv: readonly string[]): { key: string | null; json: boolean } | string {
  try {
    const options = { key: { type: 'string' }, json: { type: 'boolean', default: false } } as const
    const { values, positionals } = parseArgs({ args: [...argv], allowPositionals: true, options })
    if (positionals.length !== 1 || positionals[0] !== 'check') return 'say what: check'
    return { key: values.key ?? null, json: values.json }
  } catch (error) {
    return (error as Error).message
  }
}
