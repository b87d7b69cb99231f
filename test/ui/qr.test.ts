import { encode } from 'uqr'
import { expect, test } from 'vitest'
import { keyForPhone, pathOfModules, placesForPhones } from '../../renderer/view-models/qr.ts'

/** Draws the path again, module by module. */
function modulesOf(path: string, size: number): boolean[][] {
  const rows = Array.from({ length: size }, () => Array.from({ length: size }, () => false))
  for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g))
    for (let i = 0; i < Number(width); i++) rows[Number(y)]![Number(x) + i] = true
  return rows
}

test('the path draws every dark module of a code, and no other', () => {
  const { data, size } = encode('http://192.168.1.20:8001/healthz', { ecc: 'M', border: 4 })
  expect(modulesOf(pathOfModules(data), size)).toEqual(data)
  expect(pathOfModules([[false, true, true, false, true]])).toBe('M1 0h2v1h-2zM4 0h1v1h-1z')
})

test('phones get the addresses of the network, by the protocol that is served', () => {
  const server = { address: 'https://localhost:8001/v1', network: ['192.168.1.20:8001', '[fd00::2]:8001'] }
  expect(placesForPhones(server)).toEqual(['https://192.168.1.20:8001', 'https://[fd00::2]:8001'])
  expect(placesForPhones({ ...server, network: [] })).toEqual([])
  expect(keyForPhone(null, 'lx-secret')).toBe('lx-secret')
  expect(keyForPhone('http://10.0.0.5:8001', 'lx-secret')).toBe('http://10.0.0.5:8001/v1\nlx-secret')
})
