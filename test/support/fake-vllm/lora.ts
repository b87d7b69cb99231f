import { type Answer, type Call, type Context, text } from './answer.ts'
import { openAiError } from './errors.ts'
import { readBody } from './validate.ts'

/** POST /v1/load_lora_adapter. A path whose last part starts with `no` holds no adapter. */
export function loadLora({ headers, body }: Call, { state }: Context): Answer {
  const fields = readBody(headers, body, { lora_name: 'string!', lora_path: 'string!' })
  const name = String(fields.lora_name)
  const path = String(fields.lora_path)
  if (state.loras.has(name)) {
    const message = `The lora adapter '${name}' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True.`
    return openAiError(400, message, null, 'InvalidUserInput')
  }
  if (/(^|\/)no[^/]*$/.test(path)) return openAiError(404, `Loading lora ${name} failed: No adapter found for <path>`)
  state.loras.set(name, path)
  return text(`Success: LoRA adapter '${name}' added successfully.`, null)
}

/** POST /v1/unload_lora_adapter. */
export function unloadLora({ headers, body }: Call, { state }: Context): Answer {
  const name = String(readBody(headers, body, { lora_name: 'string!' }).lora_name)
  if (!state.loras.delete(name)) return openAiError(404, `The lora adapter '${name}' cannot be found.`)
  return text(`Success: LoRA adapter '${name}' removed successfully.`, null)
}
