import { createRequire } from 'node:module'

/** A handle of `net` that is bound and does not listen: whoever connects is refused. */
type Bound = { handle: object; port: number }

type Handle = {
  bind: (...where: [address: string, port: number] | [path: string]) => number
  bind6: (address: string, port: number) => number
  getsockname: (out: { port?: number }) => number
}
type Wrap = { TCP: new (kind: number) => Handle; Pipe: new (kind: number) => Handle; constants: { SERVER: number } }

/**
 * Binds a port as vLLM does long before it is ready. `net` cannot do that: only its inner binding knows the two as two
 * steps. null: somebody listens there. One who is only bound does not stand in the way, nor do we in theirs.
 */
export function bindPort(host: string, port: number): Bound | null {
  const { TCP, constants } = binding('tcp_wrap')
  const handle = new TCP(constants.SERVER)
  const refused = host.includes(':') ? handle.bind6(host, port) : handle.bind(host, port)
  const bound: { port?: number } = {}
  // A port that is taken shows only here: the binding keeps that error for later.
  if (refused !== 0 || handle.getsockname(bound) !== 0 || !bound.port) return null
  return { handle, port: bound.port }
}

/** The same for a Unix socket; its file is there from now on. */
export function bindPath(path: string): Bound | null {
  const { Pipe, constants } = binding('pipe_wrap')
  const handle = new Pipe(constants.SERVER)
  return handle.bind(path) === 0 ? { handle, port: 0 } : null
}

function binding(name: 'tcp_wrap' | 'pipe_wrap'): Wrap {
  const { binding } = createRequire(import.meta.url)('node:process') as { binding: (name: string) => Wrap }
  return binding(name)
}
