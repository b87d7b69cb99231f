import type { AddressInfo } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'

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

/** Where other machines reach these listeners, host and port; of a wildcard, every address that is not this machine's own. */
export function networkPlaces(
  listeners: readonly AddressInfo[],
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
): string[] {
  const outside = Object.values(interfaces).flatMap((list) => (list ?? []).filter(({ internal }) => !internal))
  const places = listeners.flatMap(({ address, family, port }) => {
    if (address === '::1' || address.startsWith('127.')) return []
    const isAny = address === '0.0.0.0' || address === '::'
    const all = isAny
      ? outside.filter((one) => one.family === family && !one.address.startsWith('fe80:'))
      : [{ address }]
    return all.map((one) => (one.address.includes(':') ? `[${one.address}]:${port}` : `${one.address}:${port}`))
  })
  return [...new Set(places)]
}
