/** As much of JSON Schema as a sample needs. */
export type Schema = {
  type?: string | string[]
  properties?: Record<string, Schema>
  items?: Schema
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  minimum?: number
}

export class BadSchema extends Error {}

/** The plainest value that a JSON schema allows. Throws BadSchema where it names a type that there is not. */
export function sampleOf(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  if (schema.anyOf?.[0]) return sampleOf(schema.anyOf[0])
  const type = Array.isArray(schema.type) ? schema.type[0] : (schema.type ?? 'object')
  switch (type) {
    case 'object':
      return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, value]) => [name, sampleOf(value)]))
    case 'array':
      return schema.items ? [sampleOf(schema.items)] : []
    case 'string':
      return 'text'
    case 'integer':
    case 'number':
      return schema.minimum ?? 1
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      throw new BadSchema(`Grammar error: Invalid type: ${type}`)
  }
}
