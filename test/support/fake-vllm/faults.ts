import type { Header } from './answer.ts'

/** Which requests a fault is for. Without `path` it is for POSTs only, so that no probe uses it up; `*` at the end of a path is a prefix. */
export type FaultMatch = { path?: string; body?: string; nth?: number }

export type FaultKind =
  | { do: 'delay'; ms: number; at: 'headers' | 'first-event' }
  | {
      do: 'reset'
      when: 'accept' | 'before-headers' | 'in-headers' | 'after-headers' | 'after-events'
      events?: number
    }
  | { do: 'cut'; afterEvents: number; how: 'fin' | 'rst'; midEvent?: boolean }
  | { do: 'stall'; afterEvents: number }
  | { do: 'drip'; ms: number }
  | { do: 'banner' }
  | { do: 'empty' }
  | { do: 'html'; status: number }
  | { do: 'invalid-json' }
  | { do: 'truncated-json'; how: 'cl' | 'chunked' }
  | { do: 'bad-event'; afterEvents: number }
  | { do: 'json-for-stream' }
  | { do: 'sse-for-json' }
  | { do: 'no-content-type' }
  | { do: 'wrong-length'; by: number }
  | { do: 'cl-and-te' }
  | { do: 'extra-bytes' }
  | { do: 'gzip'; encoding: 'gzip' | 'br' | 'deflate'; layers?: number }
  | { do: 'bomb' }
  | { do: 'error-event'; afterEvents: number; code: number; message?: string; thenDone?: boolean }
  | { do: 'error-in-200'; code: number }
  | { do: 'no-done' }
  | { do: 'no-finish' }
  | { do: 'abort-finish'; afterEvents: number }
  | {
      do: 'status'
      status: number
      retryAfter?: string | string[]
      body?: 'json' | 'none' | 'html'
      headers?: Header[]
    }
  | { do: 'informational'; code: 100 | 101 | 102 | 103 }
  | { do: 'redirect'; status: number; location: string }
  | { do: 'keep-alive-race' }
  | { do: 'close-delimited'; cutAfterEvents?: number; how?: 'fin' | 'rst' }
  | { do: 'split'; bytes: number }
  | { do: 'line-ends'; style: 'crlf' | 'cr' | 'no-space' | 'bom' }
  | { do: 'comments'; count: number; everyMs: number }
  | { do: 'giant-event'; bytes: number }
  | { do: 'giant-body'; bytes: number }
  | { do: 'giant-stream'; bytes: number }
  | { do: 'headers'; headers: Header[] }
  | { do: 'trailers'; headers: Header[] }
  | { do: 'usage'; kind: 'missing' | 'twice' | 'zero' | 'early' }
  | { do: 'die-on-abort' }
  | { do: 'ignore-abort'; ms: number }

/** `times`: how many matching requests it meets, 1 by default; 0 is for ever. */
export type Fault = { match?: FaultMatch; times?: number } & FaultKind

export type FaultName = FaultKind['do']
export type FaultOf<Name extends FaultName> = Extract<FaultKind, { do: Name }>

/** The faults that one request meets, at most one of a kind. */
export type Plan = <Name extends FaultName>(name: Name) => FaultOf<Name> | undefined

export type FaultList = ReturnType<typeof createFaultList>

type Target = { method: string; path: string; body: Buffer }

export function createFaultList() {
  let installed: { fault: Fault; left: number; seen: number }[] = []

  function add(fault: Fault): void {
    const times = fault.times ?? 1
    installed.push({ fault, left: times === 0 ? Number.POSITIVE_INFINITY : times, seen: 0 })
  }

  /** Takes what waits for the next connection: only faults that name no request. */
  function forConnection(): Plan {
    return take(({ fault }) => fault.match?.path === undefined && fault.match?.body === undefined && atAccept(fault))
  }

  function forRequest(target: Target): Plan {
    return take(({ fault }) => matches(fault, target))
  }

  function take(wanted: (entry: (typeof installed)[number]) => boolean): Plan {
    const met = new Map<FaultName, FaultKind>()
    for (const entry of installed) {
      if (!wanted(entry) || met.has(entry.fault.do)) continue
      entry.seen += 1
      if (entry.seen < (entry.fault.match?.nth ?? 1)) continue
      entry.left -= 1
      met.set(entry.fault.do, entry.fault)
    }
    installed = installed.filter(({ left }) => left > 0)
    return planOf(met)
  }

  function clear(): void {
    installed = []
  }

  return { add, clear, forConnection, forRequest, all: () => installed.map(({ fault }) => fault) }
}

function planOf(met: Map<FaultName, FaultKind>): Plan {
  return <Name extends FaultName>(name: Name) => met.get(name) as FaultOf<Name> | undefined
}

function atAccept(fault: Fault): boolean {
  return fault.do === 'banner' || (fault.do === 'reset' && fault.when === 'accept')
}

function matches(fault: Fault, { method, path, body }: Target): boolean {
  const match = fault.match ?? {}
  if (match.path === undefined) {
    if (method !== 'POST') return false
  } else if (match.path.endsWith('*') ? !path.startsWith(match.path.slice(0, -1)) : path !== match.path) return false
  return match.body === undefined || body.includes(match.body)
}
