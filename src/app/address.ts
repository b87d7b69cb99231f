import type { AddressInfo } from 'node:net'

/** Where clients find a listener, as it is told to people: `http://localhost:8001/v1`. */
export function clientUrl({ address, family, port }: AddressInfo, secure = false): string {
  const local = ['127.0.0.1', '::1', '0.0.0.0', '::'].includes(address)
  const host = local ? 'localhost' : family === 'IPv6' ? `[${address}]` : address
  return `http${secure ? 's' : ''}://${host}:${port}/v1`
}

/** Where a program of this machine reaches a listener, whatever `localhost` means there. */
export function localUrl({ address, family, port }: AddressInfo, secure = false): string {
  const scheme = secure ? 'https' : 'http'
  if (address === '0.0.0.0') return `${scheme}://127.0.0.1:${port}`
  if (address === '::') return `${scheme}://[::1]:${port}`
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
