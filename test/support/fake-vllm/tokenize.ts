import { tokenizer } from '../../../src/demo/tokenizer.ts'
import { type Answer, type Call, type Context, json } from './answer.ts'
import { modelOf, renderChat } from './prompt.ts'
import { readBody } from './validate.ts'

/** POST /tokenize, of a prompt or of messages. */
export function tokenize(call: Call, context: Context): Answer {
  const body = readBody(call.headers, call.body, {})
  modelOf(body, context)
  const tokens = tokenizer.encode(body.messages ? renderChat(body, context) : String(body.prompt ?? ''))
  const strings = body.return_token_strs ? tokens.map((token) => tokenizer.decode([token]).replace(/^ /, 'Ġ')) : null
  return json({ count: tokens.length, max_model_len: context.settings.maxModelLen, tokens, token_strs: strings })
}

/** POST /detokenize. */
export function detokenize(call: Call, context: Context): Answer {
  const body = readBody(call.headers, call.body, { tokens: 'list!' })
  modelOf(body, context)
  return json({ prompt: tokenizer.decode(body.tokens as number[]) })
}

/** GET /tokenizer_info. */
export function tokenizerInfo(_call: Call, { settings }: Context): Answer {
  return json({
    tokenizer_class: 'TokenizerPoolCachedTokenizersBackend',
    model_max_length: settings.maxModelLen,
    eos_token: '<|im_end|>',
    bos_token: '<|endoftext|>',
    pad_token: '<|endoftext|>',
    clean_up_tokenization_spaces: false,
    chat_template:
      "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n",
    truncation_side: 'left',
    name_or_path: `/models/${settings.models[0]}`,
    is_local: true,
    local_files_only: true,
    added_tokens_decoder: {
      0: '<|endoftext|>',
      1: '<|im_start|>',
      2: '<|im_end|>',
      3: '<tool_call>',
      4: '</tool_call>',
    },
    backend: 'tokenizers',
  })
}
