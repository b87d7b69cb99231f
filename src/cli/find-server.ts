import type { AdminTarget } from '../app/admin-client.ts'
import { findRunning } from '../app/run-file.ts'
import { lexoraPaths, type Machine } from '../config/paths.ts'

export type FoundServer =
  | { ok: true; target: AdminTarget }
  | { ok: false; why: 'not-running' | 'refused' | 'usage'; message: string }

const DEFAULT_PORT = '8001'

/** Which Lexora a command is for: the one that `--host` names, else the one whose run file this user has. */
export async function findServer(
  { host, key }: { host: string | null; key: string | null },
  machine: Machine,
): Promise<FoundServer> {
  // A key in the environment does not show in the list of processes.
  const adminKey = key ?? machine.env.LEXORA_AUTH__ADMIN_KEY ?? null
  if (host !== null) {
    const address = addressOf(host)
    if (address === null)
      return { ok: false, why: 'usage', message: `--host '${host}' is not a host, HOST:PORT or http://HOST:PORT.` }
    return { ok: true, target: { address, key: adminKey } }
  }
  const { runFile } = lexoraPaths(machine)
  const found = await findRunning(runFile)
  switch (found.is) {
    case 'running':
      return {
        ok: true,
        target: {
          address: found.record.address,
          key: key ?? found.record.token,
          certificate: found.record.certificate ?? null,
        },
      }
    case 'refused':
      return { ok: false, why: 'refused', message: `The run file is not to be trusted: ${found.reason}.` }
    case 'absent':
      return { ok: false, why: 'not-running', message: `Lexora is not running (no live run file at ${runFile}).` }
  }
}

function addressOf(host: string): string | null {
  const text = /^https?:\/\//.test(host) ? host : `http://${host}`
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  if (url.hostname === '' || url.username !== '') return null
  // URL drops a port that is its scheme's own, so whether one was named shows in the text alone.
  if (url.port === '' && url.protocol === 'http:' && !/:80\/?$/.test(text)) url.port = DEFAULT_PORT
  return url.origin
}
