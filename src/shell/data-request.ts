import { StringDecoder } from 'node:string_decoder'
import { Agent, request } from 'undici'
import { type DataNews, type DataRequest, SHOWN_HEADERS } from '../protocol/window.ts'

/** What the window may say of a request besides its body. */
const GIVEN = /^(?:content-type|accept|x-lexora-[a-z-]+)$/

/** One request of Try it to the data plane. Ends with `end` or `failed`, unless the signal fires first: then silently. */
export async function sendData(
  { path, body, headers, key }: DataRequest,
  { address, certificate }: { address: string; certificate: string | null },
  tell: (news: DataNews) => void,
  signal: AbortSignal,
): Promise<void> {
  const given = Object.entries(headers).filter(([name]) => GIVEN.test(name.toLowerCase()))
  const sent: Record<string, string> = { 'content-type': 'application/json', ...Object.fromEntries(given) }
  if (key !== null) sent['authorization'] = `Bearer ${key}`
  // Believes the certificate of the run file, whatever name it bears.
  const agent =
    certificate === null
      ? null
      : new Agent({ connect: { ca: certificate, allowPartialTrustChain: true, checkServerIdentity: () => undefined } })
  try {
    const answer = await request(address + path, {
      method: 'POST',
      headers: sent,
      body,
      signal,
      bodyTimeout: 0,
      headersTimeout: 0,
      ...(agent === null ? {} : { dispatcher: agent }),
    })
    const shown = SHOWN_HEADERS.flatMap((name) => {
      const value = answer.headers[name]
      return value === undefined ? [] : [[name, String(value)]]
    })
    tell({ is: 'head', status: answer.statusCode, headers: Object.fromEntries(shown) })
    const decoder = new StringDecoder('utf8')
    for await (const chunk of answer.body) {
      const text = decoder.write(chunk as Buffer)
      if (text !== '') tell({ is: 'chunk', text })
    }
    tell({ is: 'end' })
  } catch (error) {
    if (!signal.aborted) tell({ is: 'failed', reason: (error as Error).message })
  } finally {
    await agent?.close()
  }
}
