/** The fake `vllm` command: `node vllm.ts FOLDER [arguments of vllm]`. See README.md. */

import { writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { serve } from './api-server.ts'
import { helpText, serveArguments, USAGE } from './arguments.ts'
import { print } from './console.ts'
import { readScript } from './script.ts'

const [folder = '', command, ...rest] = process.argv.slice(2)
const script = readScript(folder)
const { version, timeScale, startScale } = script.vllm
/** The real one imports for half a minute before it says anything. */
const importMs = 18_000 * (startScale ?? timeScale)
takeName()

if (command === '--version' || command === '-v') {
  await pause(importMs)
  print('out', `${version}\n`)
} else if (command === '--help' || command === '-h') print('out', USAGE)
else if (command !== 'serve') end(`${USAGE}vllm: error: argument subparser: invalid choice: '${command}'\n`)
else if (rest.some((word) => /^(-h|--help)(=|$)/.test(word))) {
  await pause(importMs)
  print('out', helpText())
} else {
  const args = serveArguments(rest)
  if ('usage' in args) {
    await pause(importMs)
    print('err', "Triton is installed, but doesn't include CPU backend. Disabling Triton.\n")
    end(args.usage)
  }
  await serve(folder, script, args, ['serve', ...rest])
}

function end(usage: string): never {
  print('err', usage)
  process.exit(2)
}

/** The name that the kernel shows, as of a script that Python runs. */
function takeName(): void {
  try {
    writeFileSync('/proc/self/comm', 'vllm')
  } catch {
    // no /proc on this system
  }
}
