import { setTimeout as pause } from 'node:timers/promises'
import { clock, print } from './console.ts'
import type { Printed } from './recording.ts'
import type { VllmScript } from './script.ts'

/** What the lines of a recording are about, where it differs from the recorded run. */
export type Facts = { model: string; port: number; maxModelLen: number; names: string[]; args: string; prefix: boolean }

/**
 * Prints what a process prints, each piece in its time; `before` is told each and says whether it is printed. A wait of
 * less than a millisecond is saved up.
 */
export function createPlayer(script: VllmScript, facts: Facts, hold: (mib: number) => void) {
  let owedMs = 0
  let held = false

  return async (block: readonly Printed[], before: (piece: Printed) => Promise<boolean> = async () => true) => {
    for (const piece of block) {
      owedMs += piece.waitS * 1000 * (script.startScale ?? script.timeScale)
      if (owedMs >= 1) {
        const began = performance.now()
        await pause(owedMs)
        owedMs -= performance.now() - began
      }
      if (script.holdAt && !held && piece.text.includes(script.holdAt.text)) {
        held = true
        await pause(script.holdAt.ms)
      }
      const isPrinted = await before(piece)
      if (piece.vramMib !== undefined) hold(piece.vramMib)
      if (isPrinted && piece.text !== '') print(piece.stream, retold(piece.text, facts))
    }
  }
}

/** The recorded text with this process's id and the time of now, and with what this start is about. */
function retold(text: string, { model, port, maxModelLen, names, args, prefix }: Facts): string {
  const stamped = text.replace(
    /^\(([\w-]+) pid=\d+\) (\w+) \d\d-\d\d \d\d:\d\d:\d\d/,
    (_, who, level) => `${prefix ? `(${who} pid=${process.pid}) ` : ''}${level} ${clock()}`,
  )
  return stamped
    .replace(/non-default args: .*/, `non-default args: ${args}`)
    .replace(/\/models\/(tiny|embed)(-real)?(?=['.\s`]|$)/gm, model)
    .replace(/served_model_name=\w+/, `served_model_name=${names[0]}`)
    .replace(/(server on http:\/\/[\w.]+:)\d+/, `$1${port}`)
    .replace(/(Started server process \[)\d+/, `$1${process.pid}`)
    .replace(/(Using max model len |max_seq_len=)512/, `$1${maxModelLen}`)
    .replace(
      /KV cache size: 1,048,576 tokens, Maximum concurrency for 512 tokens per request: 2048\.00x/,
      `KV cache size: 1,048,576 tokens, Maximum concurrency for ${maxModelLen.toLocaleString('en-US')} tokens per request: ${(1_048_576 / maxModelLen).toFixed(2)}x`,
    )
}
