import type { Socket } from 'node:net'
import { buildConnector } from 'undici'

/** undici's own way to connect, which tells of every connection; the address says no more than where it leads. */
export function countedConnect(onSocket: (address: string, socket: Socket) => void): buildConnector.connector {
  const connect = buildConnector({ allowH2: false, autoSelectFamily: true })
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      onSocket(`${options.protocol}//${options.host ?? options.hostname}`, socket)
      callback(null, socket)
    })
}
