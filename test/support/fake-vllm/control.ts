import { type Answer, type Call, type Context, json } from './answer.ts'
import { detail } from './errors.ts'
import type { Fault, FaultList } from './faults.ts'
import type { FakeRequest } from './request-log.ts'

export type ControlParts = { faults: FaultList; requests: FakeRequest[]; context: Context; openSockets: () => number }

/** The routes under /__fake by which a person, or a test of the program, steers it. They meet no fault and no key. */
export function createControl({ faults, requests, context, openSockets }: ControlParts): (call: Call) => Answer | null {
  return ({ method, path, body }) => {
    if (!path.startsWith('/__fake/')) return null
    switch (`${method} ${path}`) {
      case 'POST /__fake/faults':
        for (const fault of [JSON.parse(String(body)) as Fault | Fault[]].flat()) faults.add(fault)
        return json({ faults: faults.all() })
      case 'GET /__fake/faults':
        return json({ faults: faults.all() })
      case 'DELETE /__fake/faults':
        faults.clear()
        return json({ faults: [] })
      case 'GET /__fake/requests':
        return json(requests.map((request) => ({ ...request, body: request.body.toString('utf8') })))
      case 'GET /__fake/state':
        return json(stateOf(context, openSockets()))
      default:
        return detail(404, 'Not Found')
    }
  }
}

function stateOf({ state }: Context, openSockets: number) {
  const { engine } = state
  return {
    running: engine.running(),
    waiting: engine.waiting(),
    sleeping: engine.sleeping(),
    paused: engine.paused(),
    openSockets,
  }
}
