/** Runs `check` on the text at byte offsets 0 to 7 of a larger buffer, amid bytes that would mislead a reader. */
export function atEveryAlignment(text: string, check: (bytes: Buffer) => void): void {
  const length = Buffer.byteLength(text)
  for (let offset = 0; offset < 8; offset++) {
    const room = new ArrayBuffer(length + 16)
    new Uint8Array(room).fill(0x7d)
    const bytes = Buffer.from(room, offset, length)
    bytes.write(text)
    check(bytes)
  }
}

/** The pieces of `bytes` when it is cut at each of `offsets`, in any order and more than once; some may be empty. */
export function cutAt(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const cuts = [0, ...offsets.toSorted((a, b) => a - b), bytes.length]
  return cuts.slice(1).map((end, i) => bytes.subarray(cuts[i]!, end))
}

/** OpenAI's chunk of a chat, as vLLM words it. */
export function chunk(choices: object[], more: object = {}): string {
  const id = 'chatcmpl-8171b318d06cc3c2'
  return `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created: 1795188332, model: 'tiny', choices, ...more })}\n\n`
}

export const role = (index = 0): string =>
  chunk([{ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }], {
    prompt_token_ids: null,
    prompt_text: null,
  })

export const says = (content: string, index = 0): string =>
  chunk([{ index, delta: { content }, logprobs: null, finish_reason: null, token_ids: null }])

export const finishes = (reason: string | null, index = 0): string =>
  chunk([{ index, delta: { content: 'ist' }, logprobs: null, finish_reason: reason, stop_reason: null }], {
    system_fingerprint: 'vllm-0.32.0-e2a48a84',
  })

export const counts = (usage: object = { prompt_tokens: 16, total_tokens: 19, completion_tokens: 3 }): string =>
  chunk([], { usage })

export const DONE = 'data: [DONE]\n\n'

/** A named event of the responses and messages dialects: its type is its name. */
export const named = (type: string, payload: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...payload })}\n\n`
