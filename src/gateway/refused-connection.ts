import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { problem, statusOf } from '../protocol/errors.ts'
import { LINGER_MS } from './error-response.ts'

/** A connection whose bytes never became a request. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Socket, maxHeaderBytes: number): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const told =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? problem('headers_too_large', `The request headers are larger than ${maxHeaderBytes} bytes.`)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? problem('request_timeout', 'The request headers did not arrive in time.')
        : problem('invalid_request', 'This is not a valid HTTP/1.1 request.')
  const status = statusOf(told)
  const body = JSON.stringify({
    error: { message: told.message, type: 'invalid_request_error', param: null, code: told.code },
  })
  const head = `HTTP/1.1 ${status} ${told.code}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`
  // The peer may keep its half of the connection open for ever.
  const cut = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(cut))
  socket.end(`${head}\r\nx-request-id: ${randomUUID()}\r\nconnection: close\r\n\r\n${body}`)
}
