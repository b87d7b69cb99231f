import { appendFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { FakeOptions } from '../options.ts'
import type { FakeVllm } from '../server.ts'
import { isSet, type ServeArguments, value, values } from './arguments.ts'
import { print } from './console.ts'
import { type CoreLink, startCore } from './core-link.ts'
import type { CorePlan } from './core-process.ts'
import { createPlayer, type Facts } from './player.ts'
import { bindPath, bindPort } from './port.ts'
import type { Printed } from './recording.ts'
import { type HostScript, hostFiles } from './script.ts'
import { createShutdown } from './shutdown.ts'
import { planStart, portTaken } from './start-plan.ts'

export type RunEvent =
  | { is: 'started'; pid: number; argv: string[]; env: Record<string, string> }
  | { is: 'spawned'; pid: number; role: 'engine' | 'worker' }
  | { is: 'failed'; failed: string }
  | { is: 'bound'; port: number }
  | { is: 'ready' | 'deaf' }

/** `vllm serve`: starts as its script says, and serves until it is ended. */
export async function serve(folder: string, script: HostScript, args: ServeArguments, argv: string[]): Promise<void> {
  const runFile = `${hostFiles(folder).runs}/${String(Date.now())}-${process.pid}`
  const note = (event: RunEvent) => appendFileSync(`${runFile}.jsonl`, `${JSON.stringify(event)}\n`)
  note({ is: 'started', pid: process.pid, argv, env: environment() })

  const plan = planStart(folder, script, args)
  const host = value(args, '--host') ?? '0.0.0.0'
  const port = Number(value(args, '--port') ?? 8000)
  const model = args.model ?? 'Qwen/Qwen3-0.6B'
  const names = values(args, '--served-model-name').length > 0 ? values(args, '--served-model-name') : [model]
  const facts: Facts = {
    model,
    port,
    maxModelLen: plan.maxModelLen,
    names,
    args: argumentsShown(args),
    prefix: !process.env.VLLM_LOGGING_CONFIG_PATH && process.env.VLLM_CONFIGURE_LOGGING !== '0',
  }
  const shutdownTimeout = Number(value(args, '--shutdown-timeout') ?? 0)
  const play = createPlayer(script.vllm, facts, () => {})
  const uds = value(args, '--uds')
  let bound: { handle: object; port: number } | null = null
  let core: CoreLink | null = null
  let argumentsAreShown = false
  let server: FakeVllm | null = null
  const workers: number[] = []
  const shutdown = createShutdown({
    script: script.vllm,
    timeout: shutdownTimeout,
    port: () => facts.port,
    core: () => core,
    workers: () => workers,
    server: () => server,
  })

  if (script.vllm.fail && plan.exit !== null) note({ is: 'failed', failed: script.vllm.fail })
  for (const [number, block] of plan.blocks.entries()) {
    const { owner } = block[0]!
    if (owner === 'api') {
      if (core && !core.gone() && plan.exit !== null && isLast(plan.blocks, number))
        await endCore(core, plan.engineEnds)
      await play(block, beforePiece)
    } else {
      core ??= coreStarted()
      if (!(await core.play(number))) return failedCore(await core.exited)
    }
  }
  if (plan.exit !== null) process.exit(plan.exit)

  /** The port is bound once the arguments are shown, and served before the last line. */
  async function beforePiece({ text }: Printed): Promise<boolean> {
    if (argumentsAreShown && !bound) {
      bound = uds === null ? bindPort(host, port) : bindPath(uds)
      if (!bound) {
        await play(portTaken())
        process.exit(1)
      }
      facts.port = bound.port
      note({ is: 'bound', port: bound.port })
    }
    argumentsAreShown ||= text.includes('non-default args')
    if (text.startsWith('INFO:     Application startup complete')) await listen()
    return uvicornSays('info') || !/^INFO: {5}(Started|Waiting|Application)/.test(text)
  }

  function coreStarted(): CoreLink {
    shutdown.watchSignals()
    const planFile = `${runFile}.plan.json`
    writeFileSync(
      planFile,
      JSON.stringify({ folder, script: script.vllm, facts, plan, shutdownTimeout } satisfies CorePlan),
    )
    const started = startCore(planFile, (pid) => {
      workers.push(pid)
      note({ is: 'spawned', pid, role: 'worker' })
    })
    note({ is: 'spawned', pid: started.pid, role: 'engine' })
    void started.exited.then((code) => shutdown.coreExited(code))
    return started
  }

  async function failedCore(code: number): Promise<void> {
    const text = `RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': ${code}}`
    await play([{ owner: 'api', waitS: 2.6, stream: 'err', text: `Traceback (most recent call last):\n${text}\n` }])
    process.exit(1)
  }

  async function listen(): Promise<void> {
    // Only who gets so far loads it: most starts in tests fail.
    const { startFakeVllm } = await import('../server.ts')
    try {
      server = await startFakeVllm({ ...options(), host, port: bound!.port, bound: bound!.handle, core: core! })
      const serving = server
      core!.observe(() => ({ running: serving.running(), waiting: serving.waiting() }))
      note({ is: 'ready' })
    } catch {
      // Somebody listens there since. vLLM says that it is up, and does not notice that nobody can reach it.
      note({ is: 'deaf' })
    }
    shutdown.ready()
  }

  function options(): FakeOptions {
    const { ttftMs, tokenMs, tokens, kind, version } = script.vllm
    return {
      ttftMs,
      tokenMs,
      tokens,
      kind,
      version,
      models: names,
      maxModelLen: plan.maxModelLen,
      apiKey: value(args, '--api-key') ?? process.env.VLLM_API_KEY ?? null,
      maxNumSeqs: Number(value(args, '--max-num-seqs') ?? 256),
      maxQueued: value(args, '--max-num-queued-reqs') === null ? null : Number(value(args, '--max-num-queued-reqs')),
      devMode: process.env.VLLM_SERVER_DEV_MODE === '1',
      lora: process.env.VLLM_ALLOW_RUNTIME_LORA_UPDATING === '1',
      enableTools: isSet(args, '--enable-auto-tool-choice'),
      requestIdHeaders: isSet(args, '--enable-request-id-headers'),
      tokenizerInfo: isSet(args, '--enable-tokenizer-info-endpoint'),
      promptTokensDetails: isSet(args, '--enable-prompt-tokens-details'),
      perRequestMetrics: isSet(args, '--enable-per-request-metrics'),
      serverLoad: isSet(args, '--enable-server-load-tracking'),
      sseKeepAliveMs: 1000 * Number(value(args, '--sse-keep-alive-interval') ?? 0),
      keepAliveMs: 1000 * Number(process.env.VLLM_HTTP_TIMEOUT_KEEP_ALIVE ?? 5),
      onAccess: (line, path) => {
        if (isLogged(path)) print('out', `${line}\n`)
      },
    }
  }

  function isLogged(path: string): boolean {
    if (path.startsWith('/__fake/') || isSet(args, '--disable-uvicorn-access-log') || !uvicornSays('info')) return false
    return !(value(args, '--disable-access-log-for-endpoints') ?? '').split(',').includes(path)
  }

  function uvicornSays(level: 'info'): boolean {
    return [level, 'debug', 'trace'].includes(value(args, '--uvicorn-log-level') ?? level)
  }

  async function endCore(link: CoreLink, ends: 'exit' | 'SIGKILL'): Promise<void> {
    if (ends === 'SIGKILL') link.kill('SIGKILL')
    else link.send({ do: 'fail' })
    await link.exited
  }

  await pause(0)
}

function isLast(blocks: Printed[][], number: number): boolean {
  return blocks.slice(number).every((block) => block[0]!.owner === 'api')
}

/** The environment as it was given, without what our own command adds. */
function environment(): Record<string, string> {
  const { NODE_COMPILE_CACHE: _, ...given } = process.env
  return Object.fromEntries(Object.entries(given).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])))
}

/** As Python prints the dictionary of what differs from the defaults. */
function argumentsShown({ model, flags }: ServeArguments): string {
  const quoted = (text: string) => (/^-?\d+(\.\d+)?$/.test(text) ? text : `'${text}'`)
  const shown = [...flags].map(([name, given]) => {
    const key = name.replace(/^--(no-)?/, '').replaceAll('-', '_')
    if (given === true) return `'${key}': ${name.startsWith('--no-') ? 'False' : 'True'}`
    return `'${key}': ${key === 'served_model_name' || given.length > 1 ? `[${given.map(quoted).join(', ')}]` : quoted(given[0]!)}`
  })
  return `{${[`'model_tag': '${model}'`, ...shown].join(', ')}}`
}
