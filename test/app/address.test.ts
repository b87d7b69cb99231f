import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { networkPlaces } from '../../src/app/address.ts'

const at = (address: string): AddressInfo => ({ address, family: address.includes(':') ? 'IPv6' : 'IPv4', port: 8001 })

const aCard = (address: string, internal = false) => ({
  address,
  family: address.includes(':') ? ('IPv6' as const) : ('IPv4' as const),
  internal,
  netmask: '',
  mac: '',
  cidr: null,
  scopeid: 0,
})

const CARDS = {
  lo: [aCard('127.0.0.1', true), aCard('::1', true)],
  eth0: [aCard('192.168.1.20'), aCard('fe80::1'), aCard('2001:db8::20')],
  docker0: [aCard('172.17.0.1')],
}

test.each<[listeners: string[], places: string[]]>([
  [['127.0.0.1', '::1'], []],
  [['192.168.1.20'], ['192.168.1.20:8001']],
  [['2001:db8::20'], ['[2001:db8::20]:8001']],
  [['0.0.0.0'], ['192.168.1.20:8001', '172.17.0.1:8001']],
  [['::'], ['[2001:db8::20]:8001']],
  [
    ['192.168.1.20', '0.0.0.0'],
    ['192.168.1.20:8001', '172.17.0.1:8001'],
  ],
  [[], []],
])('listening at %j, other machines reach it at %j', (listeners, places) => {
  expect(networkPlaces(listeners.map(at), CARDS)).toEqual(places)
})
