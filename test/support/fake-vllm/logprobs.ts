import { pieceToken } from './prompt.ts'

/** The tiny model is as unsure of every token as of any other. */
const LOGPROB = -7.6246185302734375

/** `logprobs` of chat: one entry for each token, with the likeliest others. */
export function chatLogprobs(pieces: string[], top: number) {
  const entry = (token: string) => ({ token, logprob: LOGPROB, bytes: [...Buffer.from(token)] })
  return {
    content: pieces.map((piece) => ({
      ...entry(piece),
      top_logprobs: Array.from({ length: top }, (_, at) => entry(at === 0 ? piece : ` other${at}`)),
    })),
  }
}

/** `logprobs` of completions: four lists side by side. With an echo the prompt comes first, its first token unknown. */
export function completionLogprobs(promptPieces: string[], pieces: string[], top: number) {
  const tokens = [...promptPieces, ...pieces]
  const known = (at: number) => at > 0 || promptPieces.length === 0
  let offset = 0
  return {
    text_offset: tokens.map((token) => {
      offset += token.length
      return offset - token.length
    }),
    token_logprobs: tokens.map((_, at) => (known(at) ? LOGPROB : null)),
    tokens,
    top_logprobs: tokens.map((token, at) => (known(at) ? likeliest(token, top) : null)),
  }
}

function likeliest(token: string, top: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: top + 1 }, (_, at) => [at === 0 ? token : ` other${at}`, LOGPROB]))
}

/** `prompt_logprobs`: for each token of the prompt but the first, what it was and how likely. */
export function promptLogprobs(promptPieces: string[]) {
  return promptPieces.map((piece, at) =>
    at === 0 ? null : { [pieceToken(piece)]: { logprob: LOGPROB, rank: 1, decoded_token: piece } },
  )
}
