import { type Answer, type Call, type Context, json } from './answer.ts'
import { detail } from './errors.ts'
import { readFaults } from './fault-names.ts'
import type { FaultList } from './faults.ts'
import type { FakeRequest } from './request-log.ts'

export type ControlParts = { faults: FaultList; requests: FakeRequest[]; context: Context; openSockets: () => number }

/** The routes under /__fake by which a person, or a test of the program, steers it. They meet no fault and no key. */
export function createControl({ faults, requests, context, openSockets }: ControlParts): (call: Call) => Answer | null {
  return ({ method, path, body }) => {
    if (!path.startsWith('/__fake/')) return null
    switch (`${method} ${path}`) {
      case 'POST /__fake/faults':
        return install(String(body), faults)
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

function install(text: string, faults: FaultList): Answer {
  try {
    for (const fault of readFaults(text)) faults.add(fault)
    return json({ faults: faults.all() })
  } catch (error) {
    return detail(400, String(error))
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
