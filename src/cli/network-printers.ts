import type { AppCommands } from '../protocol/commands.ts'
import type { NETWORK_COMMANDS } from '../protocol/network-commands.ts'
import { CONFIG_PRINTERS } from './config-printers.ts'
import { type Column, moment, plain, table } from './format.ts'
import { lanLines } from './lan.ts'
import type { Look } from './status-view.ts'

type Printers = {
  [Name in keyof typeof NETWORK_COMMANDS]: (result: Awaited<ReturnType<AppCommands[Name]>>, look: Look) => string[]
}

export const NETWORK_PRINTERS: Printers = {
  listOrigins: ({ origins }, { width, paint }) => {
    if (origins.length === 0) return ['No web page waits to be allowed.']
    const columns: Column[] = [{ title: 'ORIGIN' }, { title: 'LAST' }, { title: 'TIMES', align: 'right' }]
    const rows = origins.map(({ origin, lastAt, times }) => [plain(origin), moment(lastAt), String(times)])
    const [head = '', ...body] = table(columns, rows, width)
    return [paint('dim', head), ...body, '', 'To let one in: lexora origins allow ORIGIN']
  },
  checkPort: ({ port, state, pid, program }) => {
    if (state !== 'used') return [`${port}: ${state === 'free' ? 'free' : 'this Lexora'}`]
    const who = pid === null ? '' : ` by ${plain(program ?? 'a process')} (pid ${pid})`
    return [`${port}: used${who}`]
  },
  checkLan: lanLines,
  allowOrigin: CONFIG_PRINTERS.setConfig,
  forgetOrigin: ({ forgotten }) => [`${plain(forgotten)} does not wait any more; it stays shut out.`],
}
