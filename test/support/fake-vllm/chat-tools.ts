import { type Context, Refusal } from './answer.ts'
import { openAiError } from './errors.ts'
import { digest } from './generate.ts'
import { sampleText } from './json-sample.ts'
import type { Fields } from './validate.ts'

export type ToolCall = { id: string; name: string; arguments: string }

type Tool = { function: { name: string; parameters?: object } }

/**
 * The call that the answer makes, or null. `auto` calls the first tool that the last message names, so that a test
 * decides; a named call ends with `stop`, as in vLLM.
 */
export function toolCallOf(
  body: Fields,
  { settings }: Context,
): { call: ToolCall; finish: 'stop' | 'tool_calls' } | null {
  const tools = Array.isArray(body.tools) ? (body.tools as Tool[]) : []
  const choice = body.tool_choice ?? (tools.length > 0 ? 'auto' : 'none')
  if (tools.length === 0 || choice === 'none') return null
  if (!settings.enableTools) throw new Refusal(openAiError(400, withoutParser(choice)))
  if (choice === 'auto')
    return called(
      tools.find(({ function: { name } }) => lastMessageNames(body, name)),
      'tool_calls',
    )
  if (choice === 'required') return called(tools[0], 'tool_calls')
  const name = nameOf(choice)
  return called(
    tools.find((tool) => tool.function.name === name),
    'stop',
  )
}

function withoutParser(choice: unknown): string {
  if (choice === 'auto') return '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
  const which = choice === 'required' ? '"required"' : `function "${nameOf(choice)}"`
  return `tool_choice=${which} requires --tool-call-parser to be set`
}

function nameOf(choice: unknown): string {
  return (choice as Tool).function.name
}

function lastMessageNames(body: Fields, name: string): boolean {
  const last = (body.messages as Fields[]).at(-1)
  return JSON.stringify(last?.content ?? '')
    .split(/[^\w-]+/)
    .includes(name)
}

function called<Finish>(tool: Tool | undefined, finish: Finish): { call: ToolCall; finish: Finish } | null {
  if (!tool) return null
  const { name, parameters = {} } = tool.function
  const text = sampleText(parameters)
  return { call: { id: `chatcmpl-tool-${digest(name, text)}`, name, arguments: text }, finish }
}
