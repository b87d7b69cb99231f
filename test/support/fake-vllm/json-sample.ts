import { BadSchema, type Schema, sampleOf } from '../../../src/demo/json-sample.ts'
import { Refusal } from './answer.ts'
import { openAiError } from './errors.ts'

/** A text that a JSON schema allows, or vLLM's refusal of a schema that is none. */
export function sampleText(schema: Schema): string {
  try {
    return JSON.stringify(sampleOf(schema))
  } catch (error) {
    if (error instanceof BadSchema) throw new Refusal(openAiError(400, error.message))
    throw error
  }
}
