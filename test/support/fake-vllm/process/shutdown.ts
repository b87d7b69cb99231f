import { setTimeout as pause } from 'node:timers/promises'
import type { FakeVllm } from '../server.ts'
import { logLine, print } from './console.ts'
import type { CoreLink } from './core-link.ts'
import type { VllmScript } from './script.ts'

type Parts = {
  script: VllmScript
  /** --shutdown-timeout, in real seconds: 0 aborts, more drains. */
  timeout: number
  port: () => number
  core: () => CoreLink | null
  /** Pids of the workers below it. */
  workers: () => number[]
  server: () => FakeVllm | null
}

/** How the API server ends: by a signal, or because its engine core is gone. Times and lines as captured. */
export function createShutdown({ script, timeout, port, core, workers, server }: Parts) {
  let isReady = false
  let signals = 0
  let stopping = false
  let served = false
  const scaled = (seconds: number) => pause(seconds * 1000 * script.timeScale)
  const say = (level: string, at: string, text: string) =>
    print('out', logLine('APIServer', process.pid, level, at, text))
  const inFlight = () => (server()?.running() ?? 0) + (server()?.waiting() ?? 0)

  /** Before the engine core exists a signal ends the process at once, by itself. */
  function watchSignals(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => onSignal(signal))
  }

  function onSignal(signal: NodeJS.Signals): void {
    signals += 1
    if (!isReady) interruptedInit(signal)
    else if (!stopping) void stop()
  }

  /** While the engine core loads, one signal is lost; it takes five, and what it started is left behind. */
  function interruptedInit(signal: NodeJS.Signals): void {
    if (signals === 2) {
      say('INFO', 'utils.py:628', '[shutdown] Process manager: send sigterm to process EngineCore')
      core()?.kill('SIGTERM')
    }
    if (signals === 3 || signals === 4)
      print(
        'err',
        'Traceback (most recent call last):\n  File "/venv/site-packages/vllm/entrypoints/launchers/api_server/entry.py", line 172, in _interrupt_init\n    raise KeyboardInterrupt("terminated")\nKeyboardInterrupt: terminated\n',
      )
    if (signals < 5) return
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }

  async function stop(): Promise<void> {
    stopping = true
    const link = core()!
    const drains = timeout > 0
    say('INFO', 'launcher.py:254', '[shutdown] API server: shutdown triggered')
    say(
      'INFO',
      'launcher.py:270',
      `[shutdown] API server: stopping engine client mode=${drains ? 'drain' : 'abort'} timeout=${timeout}s`,
    )
    say('INFO', 'core_client.py:770', `[shutdown] MPClient: start timeout=${timeout}s`)
    say('INFO', 'core_client.py:772', '[shutdown] MPClient: stopping engine manager')
    say('INFO', 'utils.py:628', '[shutdown] Process manager: send sigterm to process EngineCore')
    if (drains) await drained(link)
    else link.send({ do: 'requests', count: inFlight() })
    const answers = link.how() === 'serving' && (await answersStill(link))
    const wasGone = link.gone()
    link.kill('SIGTERM')
    const outcome = outcomeOf({ idle: inFlight() === 0, drains, gone: wasGone, answers })
    link.finish(outcome)
    if (!link.gone()) {
      say('WARNING', 'utils.py:648', '[shutdown] Process manager: force killing remaining processes count=1')
      say(
        'WARNING',
        'utils.py:653',
        `[shutdown] Process manager: force killing remaining process EngineCore pid ${link.pid}`,
      )
      if (!drains) await pause(2)
      link.kill('SIGKILL')
      await link.exited
    }
    for (const pid of workers()) endWorker(pid)
    say('INFO', 'core_client.py:774', '[shutdown] MPClient: engine manager stopped')
    say('INFO', 'core_client.py:775', '[shutdown] MPClient: cleaning up background resources')
    say('INFO', 'core_client.py:777', '[shutdown] MPClient: complete')
    say('INFO', 'launcher.py:279', '[shutdown] API server: engine client stopped')
    say('INFO', 'launcher.py:282', '[shutdown] API server: signalling HTTP server shutdown')
    await closed(outcome)
  }

  function outcomeOf(found: { idle: boolean; drains: boolean; gone: boolean; answers: boolean }) {
    if (found.idle) return 'aborted'
    if (found.drains) return 'hanging'
    if (found.gone) return 'dead'
    return found.answers ? OUTCOMES[script.sigterm] : 'hanging'
  }

  function endWorker(pid: number): void {
    try {
      process.kill(pid, 'SIGKILL')
      const name = script.device === 'cpu' ? 'VLLM::Worker' : `VLLM::Worker_TP${workers().indexOf(pid)}`
      say('WARNING', 'system_utils.py:225', `[shutdown] force killing sub process ${name} pid ${pid}`)
    } catch {
      // It went with the engine core.
    }
  }

  /** Lets what runs run to its end, as long as the time-out is; new work is refused meanwhile. */
  async function drained(link: CoreLink): Promise<void> {
    link.refuse('cannot schedule new futures after shutdown')
    link.send({ do: 'requests', count: inFlight() })
    link.kill('SIGTERM')
    const over = Date.now() + timeout * 1000
    while (inFlight() > 0 && Date.now() < over && !link.gone()) await pause(2)
    link.send({ do: 'requests', count: inFlight() })
    if (inFlight() === 0) await Promise.race([link.exited, pause(Math.max(0, over - Date.now()))])
  }

  /** Whether the engine does one more step in time. One that hangs is killed under what it runs. */
  async function answersStill(link: CoreLink): Promise<boolean> {
    const late = AbortSignal.timeout(100)
    await link.step(late)
    return !late.aborted
  }

  async function closed(outcome: 'dead' | 'aborted' | 'hanging'): Promise<void> {
    await scaled(0.08)
    if (!server()) {
      say(
        'WARNING',
        'launcher.py:298',
        `port ${port()} is used by process psutil.Process(pid=1, name='thief', status='sleeping') launched with command:\r`,
      )
      say('WARNING', 'launcher.py:298', 'thief')
    }
    say('INFO', 'launcher.py:304', '[shutdown] API server: shutting down FastAPI HTTP server')
    print('err', 'INFO:     Shutting down\n')
    await server()?.refuse()
    if (outcome === 'hanging') {
      print('err', 'INFO:     Waiting for connections to close. (CTRL+C to force quit)\n')
      await gone()
    } else await answered()
    await scaled(0.1)
    print('err', 'INFO:     Waiting for application shutdown.\n')
    print('err', 'INFO:     Application shutdown complete.\n')
    await scaled(0.5)
    print('err', leaked(2))
    process.exit(0)
  }

  /** Until the last client has closed its connection, however long that is. */
  async function gone(): Promise<void> {
    while ((server()?.openSockets() ?? 0) > 0) await pause(2)
  }

  /** Until those who run have been told, and their bytes are on their way. */
  async function answered(): Promise<void> {
    while (inFlight() > 0) await pause(1)
    await pause(5)
  }

  /** The engine core ended by itself. The server tells its clients and goes, with 0 as if all were well. */
  async function coreExited(code: number): Promise<void> {
    const link = core()!
    if (!isReady || stopping) return
    stopping = true
    served ||= inFlight() > 0 || (server()?.requests.some(({ method }) => method === 'POST') ?? false)
    link.refuse(DEAD)
    link.finish('dead')
    if (code !== 1) cleanedUp('default')
    say('ERROR', 'async_llm.py:906', 'AsyncLLM output_handler failed.\r')
    say('ERROR', 'async_llm.py:906', 'Traceback (most recent call last):\r')
    say('ERROR', 'async_llm.py:906', `vllm.v1.engine.exceptions.EngineDeadError: ${DEAD}`)
    if (process.env.VLLM_KEEP_ALIVE_ON_ENGINE_DEATH === '1') return
    // Who never served has only a watchdog that looks every five seconds, unless somebody asks meanwhile.
    if (!served) await Promise.race([scaled(4.6), asked()])
    await scaled(0.06)
    await server()?.refuse()
    print('err', 'INFO:     Shutting down\n')
    await answered()
    await scaled(0.1)
    print('err', 'INFO:     Waiting for application shutdown.\n')
    print('err', 'INFO:     Application shutdown complete.\n')
    print('err', `INFO:     Finished server process [${process.pid}]\n`)
    if (code === 1) cleanedUp('0s')
    await scaled(code === 1 ? 1.3 : 0.4)
    print('err', leaked(1))
    process.exit(0)
  }

  /** An engine core that was killed is noticed from outside; one that failed has said so itself. */
  function cleanedUp(timeout: 'default' | '0s'): void {
    const link = core()!
    const sigterm = () => say('INFO', 'utils.py:628', '[shutdown] Process manager: send sigterm to process EngineCore')
    if (timeout === 'default') {
      sigterm()
      say('WARNING', 'core_client.py:817', '[shutdown] MPClient: engine core exited unexpectedly; starting cleanup')
    }
    say('INFO', 'core_client.py:770', `[shutdown] MPClient: start timeout=${timeout}`)
    say('INFO', 'core_client.py:772', '[shutdown] MPClient: stopping engine manager')
    if (timeout === '0s') {
      sigterm()
      say('WARNING', 'utils.py:648', '[shutdown] Process manager: force killing remaining processes count=1')
      say(
        'WARNING',
        'utils.py:653',
        `[shutdown] Process manager: force killing remaining process EngineCore pid ${link.pid}`,
      )
    }
    say('INFO', 'core_client.py:774', '[shutdown] MPClient: engine manager stopped')
    say('INFO', 'core_client.py:775', '[shutdown] MPClient: cleaning up background resources')
    say('INFO', 'core_client.py:777', '[shutdown] MPClient: complete')
  }

  async function asked(): Promise<void> {
    const before = server()?.requests.length ?? 0
    while (
      !server()
        ?.requests.slice(before)
        .some(({ method }) => method === 'POST')
    )
      await pause(2)
  }

  return {
    watchSignals,
    coreExited,
    ready: () => {
      isReady = true
      // Signals that came while it loaded are forgotten.
      signals = 0
    },
  }
}

const DEAD = 'EngineCore encountered an issue. See stack trace (above) for the root cause.'

const OUTCOMES = { abort: 'aborted', error: 'dead', hang: 'hanging' } as const

/** Python's resource tracker has the last word. */
function leaked(count: number): string {
  const where = '/python/multiprocessing/resource_tracker.py:254: UserWarning: resource_tracker'
  return `${where}: There appear to be ${count} leaked shared_memory objects to clean up at shutdown\n  warnings.warn('resource_tracker: There appear to be %d '\n`
}
