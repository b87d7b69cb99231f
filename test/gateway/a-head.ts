import type { IncomingMessage } from 'node:http'
import { type RequestHead, readHead } from '../../src/gateway/request-head.ts'

type Given = { method?: string; target?: string; headers?: [name: string, value: string][]; keyHeader?: string }

/** A POST of JSON to this machine, with further headers in the order and number given; `host: null` leaves Host out. */
export function aHead({
  method = 'POST',
  target = '/v1/chat/completions',
  headers = [],
  keyHeader,
}: Given = {}): RequestHead {
  return read({ method, target, keyHeader, headers: [['Host', '127.0.0.1:8001'], ...headers] })
}

/** The same without any header but those given. */
export function aBareHead({ method = 'POST', target = '/', headers = [], keyHeader }: Given = {}): RequestHead {
  return read({ method, target, keyHeader, headers })
}

function read(given: Required<Omit<Given, 'keyHeader'>> & { keyHeader: string | undefined }): RequestHead {
  const { method, target, headers, keyHeader = null } = given
  return readHead({ method, url: target, rawHeaders: headers.flat() } as unknown as IncomingMessage, keyHeader)
}
