import { tokenizer } from '../../../src/demo/tokenizer.ts'
import {
  type Call,
  type Context,
  dataEvent,
  doneEvent,
  json,
  Refusal,
  type Step,
  tokenEvent,
  type Work,
} from './answer.ts'
import { openAiError } from './errors.ts'
import { digest, type Generation, generate, inTurns } from './generate.ts'
import { completionLogprobs, promptLogprobs } from './logprobs.ts'
import { checkLength, modelOf, pieceToken, tokensOf } from './prompt.ts'
import { type Sampling, samplingOf } from './sampling.ts'
import { fingerprint, lastUsage, requestMetrics, runningUsage, usageOf } from './usage.ts'
import { type Fields, type Kind, readBody } from './validate.ts'

const KINDS: Record<string, Kind> = {
  max_tokens: 'int',
  temperature: 'float',
  top_p: 'float',
  n: 'int',
  seed: 'int',
  priority: 'int',
  stream: 'bool',
  stop: 'stop',
}

type Choice = { promptIds: number[]; said: Generation }
type Completion = {
  context: Context
  body: Fields
  id: string
  model: string
  sampling: Sampling
  choices: Choice[]
  promptTokens: number
}

/** POST /v1/completions. */
export function completions(call: Call, context: Context): Work {
  const body = readBody(call.headers, call.body, KINDS)
  const model = modelOf(body, context)
  const prompts = promptsOf(body.prompt, context)
  const sampling = samplingOf(body, context)
  const id = `cmpl-${call.headers['x-request-id'] ?? body.request_id ?? digest(call.path, call.body)}`
  const choices = prompts.flatMap((promptIds) =>
    Array.from({ length: sampling.n }, (_, at) => speak(promptIds, at, sampling, context)),
  )
  const promptTokens = prompts.reduce((sum, ids) => sum + ids.length, 0)
  return completionWork({ context, body, id, model, sampling, choices, promptTokens })
}

function promptsOf(prompt: unknown, context: Context): number[][] {
  if (!prompt || (Array.isArray(prompt) && prompt.length === 0)) {
    throw new Refusal(
      openAiError(400, 'Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)', 'prompt'),
    )
  }
  if (typeof prompt === 'string') return [tokensOf(prompt, context)]
  const list = prompt as unknown[]
  if (typeof list[0] === 'number') return [checkLength(list as number[], context.settings.maxModelLen)]
  return list.flatMap((one) => promptsOf(one, context))
}

function speak(promptIds: number[], at: number, sampling: Sampling, { settings }: Context): Choice {
  const room = settings.maxModelLen - promptIds.length
  return { promptIds, said: generate({ seed: `${promptIds.join()}${at}`, room, tokens: settings.tokens, ...sampling }) }
}

function completionWork(completion: Completion): Work {
  const { choices, sampling, promptTokens } = completion
  const completionTokens = choices.reduce((sum, { said }) => sum + said.pieces.length, 0)
  return {
    is: 'work',
    stream: sampling.stream,
    sequences: choices.length,
    promptTokens,
    completionTokens,
    finish: choices[0]!.said.finish,
    whole: () => json(wholeCompletion(completion, completionTokens)),
    events: () => completionEvents(completion, completionTokens),
  }
}

function wholeCompletion(completion: Completion, completionTokens: number) {
  const { context, id, model, choices, promptTokens } = completion
  const metrics = requestMetrics(context, completionTokens)
  return {
    id,
    object: 'text_completion',
    created: context.settings.created,
    model,
    choices: choices.map((choice, index) => wholeChoice(completion.body, choice, index)),
    service_tier: null,
    system_fingerprint: fingerprint(context),
    usage: usageOf(promptTokens, completionTokens),
    kv_transfer_params: null,
    ec_transfer_params: null,
    metrics: metrics && { ...metrics, speculative_decoding: null },
  }
}

function wholeChoice(body: Fields, { promptIds, said }: Choice, index: number) {
  const echo = body.echo === true
  const promptPieces = promptIds.map((token) => tokenizer.decode([token]))
  const wanted = typeof body.logprobs === 'number'
  return {
    index,
    text: [...(echo ? promptPieces : []), ...said.pieces].join(''),
    logprobs: wanted ? completionLogprobs(echo ? promptPieces : [], said.pieces, Number(body.logprobs)) : null,
    finish_reason: said.finish,
    stop_reason: said.stopReason,
    token_ids: body.return_token_ids ? said.pieces.map(pieceToken) : null,
    prompt_logprobs: wanted && echo ? promptLogprobs(promptPieces) : null,
    prompt_token_ids: body.return_token_ids ? promptIds : null,
    routed_experts: null,
  }
}

function* completionEvents(completion: Completion, completionTokens: number): Iterable<Step> {
  const { context, body, id, model, choices, sampling, promptTokens } = completion
  const head = { id, object: 'text_completion', created: context.settings.created, model }
  for (const { said, index, at } of inTurns(choices.map((choice) => choice.said))) {
    const last = at === said.pieces.length - 1
    yield tokenEvent({
      ...head,
      choices: [tokenChoice(body, said, at, index, last)],
      ...(sampling.continuousUsage && { usage: runningUsage(choices[index]!.promptIds.length, at + 1) }),
      ...(last && !sampling.includeUsage && { system_fingerprint: fingerprint(context) }),
    })
  }
  if (sampling.includeUsage) {
    const usage = lastUsage(promptTokens, completionTokens, null)
    yield dataEvent({ ...head, choices: [], usage, system_fingerprint: fingerprint(context) })
  }
  yield doneEvent
}

function tokenChoice(body: Fields, said: Generation, at: number, index: number, last: boolean) {
  const piece = said.pieces[at]!
  return {
    index,
    text: piece,
    logprobs: typeof body.logprobs === 'number' ? completionLogprobs([], [piece], body.logprobs) : null,
    finish_reason: last ? said.finish : null,
    stop_reason: last ? said.stopReason : null,
    prompt_token_ids: null,
    token_ids: body.return_token_ids ? [pieceToken(piece)] : null,
  }
}
