/** A request that the demo engine refuses, in vLLM's error shape. */
export class Problem extends Error {
  readonly status: number
  readonly body: string

  constructor(status: number, message: string, type: string, param: string | null = null) {
    super(message)
    this.status = status
    this.body = JSON.stringify({ error: { message, type, param, code: status } })
  }
}

export function badRequest(message: string, param: string | null = null): Problem {
  return new Problem(400, message, 'BadRequestError', param)
}

/** What pydantic says of a field, as vLLM passes it on. */
export function invalidField(field: string, type: string, says: string, input: unknown): Problem {
  const what = `{'type': '${type}', 'loc': '${field}', 'msg': '${says}', 'input': '${shown(input)}'}`
  return new Problem(400, `1 validation error:\n  ${what}`, 'Bad Request', field)
}

function shown(input: unknown): string {
  if (input === undefined || input === null) return 'None'
  if (Array.isArray(input)) return `<list of ${input.length} items>`
  return typeof input === 'object' ? `<dict of ${Object.keys(input).length} items>` : String(input)
}
