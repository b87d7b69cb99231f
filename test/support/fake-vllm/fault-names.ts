import type { Fault, FaultName } from './faults.ts'

/** Every fault in a line, for --help; the README has the details. */
export const FAULT_HELP: Record<FaultName, string> = {
  delay: '{ms, at: headers|first-event} waits',
  reset: '{when: accept|before-headers|in-headers|after-headers|after-events, events} resets the connection',
  cut: '{afterEvents, how: fin|rst, midEvent} breaks the body off',
  stall: '{afterEvents} says no more; -1 sends not even headers',
  drip: '{ms} sends one byte at a time',
  banner: 'speaks SSH',
  empty: 'closes without a word',
  html: '{status} is a page of another server',
  'invalid-json': 'is no JSON',
  'truncated-json': '{how: cl|chunked} is half of the JSON, in sound HTTP',
  'bad-event': '{afterEvents} puts an event of broken JSON between',
  'json-for-stream': 'answers a stream whole',
  'sse-for-json': 'streams what should be whole',
  'no-content-type': 'leaves the header out',
  'wrong-length': '{by} promises so many bytes more',
  'cl-and-te': 'sends both framings',
  'extra-bytes': 'sends bytes after the end',
  gzip: '{encoding: gzip|br|deflate, layers} packs the body',
  bomb: 'is a mebibyte that unpacks to a gibibyte',
  'error-event': '{afterEvents, code, message, thenDone} fails in the stream',
  'error-in-200': '{code} is an error with status 200',
  'no-done': 'leaves the last event out',
  'no-finish': 'leaves the finish reason out',
  'abort-finish': '{afterEvents} ends with finish_reason abort',
  status: '{status, retryAfter, body: json|none|html, headers} is an error',
  informational: '{code: 100|101|102|103} says so before the answer',
  redirect: '{status, location} sends the client elsewhere',
  'keep-alive-race': 'closes the connection under the next request',
  'close-delimited': '{cutAfterEvents, how} has no length but the end of the connection',
  split: '{bytes} writes the body in small pieces',
  'line-ends': '{style: crlf|cr|no-space|bom} writes events another way',
  comments: '{count, everyMs} sends comments before the first event',
  'giant-event': '{bytes} has one event of that size',
  'giant-body': '{bytes} is a body of that size',
  'giant-stream': '{bytes} is a good stream of that size, no faster than it is read',
  headers: '{headers: [[name, value]…]} adds headers',
  trailers: '{headers: [[name, value]…]} adds trailers',
  usage: '{kind: missing|twice|zero|early} counts wrongly',
  'die-on-abort': 'ends the program when the client leaves',
  'ignore-abort': '{ms} keeps running so long after the client left',
}

/** A fault, or faults, that came as JSON. Throws where one is not known: it would silently do nothing. */
export function readFaults(text: string): Fault[] {
  const faults = [JSON.parse(text) as Fault | Fault[]].flat()
  for (const fault of faults)
    if (!(fault.do in FAULT_HELP)) throw new Error(`there is no fault ${JSON.stringify(fault.do)}`)
  return faults
}
