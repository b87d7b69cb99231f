import { isAbsolute } from 'node:path'
import type { CommandFacts, EngineCommand } from './engine-command.ts'
import type { EngineConfig, Launch } from './launch.ts'

type Wrapped = Pick<EngineCommand, 'argv' | 'env' | 'halt'>

/** Longer than a container's engine needs to end by itself. */
const DOCKER_STOP_SECONDS = '30'

/**
 * vLLM in a container. Its port is published on loopback only; its values reach it by name, so that no process list
 * shows the key. The container ends with its client's signals, and by its name where those do not reach it.
 */
export function dockerCommand(
  launch: Extract<Launch, { via: 'docker' }>,
  config: EngineConfig,
  { name, port, marker, offline, env: own }: CommandFacts,
  env: Record<string, string>,
  serve: readonly string[],
): Wrapped {
  const container = `lexora-${name}-${marker}`
  const { CUDA_VISIBLE_DEVICES: _, HIP_VISIBLE_DEVICES: __, TMPDIR: ___, VLLM_RPC_BASE_PATH: ____, ...inside } = env
  const home = own['HOME'] ?? own['USERPROFILE'] ?? ''
  const folder = config.model !== null && isAbsolute(config.model) ? config.model : null
  const words = [
    ...launch.argv,
    'run',
    '--rm',
    '--init',
    ...(offline ? ['--pull', 'never'] : []),
    ...['--name', container],
    ...['--label', `lexora.run=${marker}`],
    ...['--gpus', config.gpus.length === 0 ? 'all' : `"device=${config.gpus.join(',')}"`],
    '--ipc=host',
    ...['--publish', `127.0.0.1:${port}:8000`],
    ...['--volume', `${own['HF_HOME'] ?? `${home}/.cache/huggingface`}:/root/.cache/huggingface`],
    // Without it every start compiles anew.
    ...['--volume', `${home}/.cache/vllm:/root/.cache/vllm`],
    ...(folder === null ? [] : ['--volume', `${folder}:${folder}:ro`]),
    ...Object.keys(inside).flatMap((variable) => ['--env', variable]),
    launch.image,
    // The image's entry point is `vllm serve`.
    ...serve.slice(1),
  ]
  const [docker = 'docker'] = launch.argv
  return {
    argv: words as [string, ...string[]],
    env: { ...dockerEnvironment(own), ...inside },
    halt: {
      gently: [docker, 'stop', '--time', DOCKER_STOP_SECONDS, container],
      now: [docker, 'kill', container],
    },
  }
}

function dockerEnvironment(own: CommandFacts['env']): Record<string, string> {
  const names = ['PATH', 'HOME', 'USERPROFILE', 'SYSTEMROOT', 'XDG_RUNTIME_DIR', 'DOCKER_HOST', 'DOCKER_CONTEXT']
  return Object.fromEntries(names.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]]])))
}

/** In its own session there, whose number it leaves in a file: signals from Windows do not reach it. */
const IN_WSL = 'exec setsid --wait sh -c \'echo $$ > "$1"; shift; exec "$@"\' sh "$@"'
const TERMINATE_IN_WSL = 'kill -TERM "$(cat "$1")"'
// In this spelling every shell takes a group.
const KILL_IN_WSL = 'kill -s KILL -- "-$(cat "$1")"; rm -f "$1"'

/** vLLM inside the Windows Subsystem for Linux; untested on a real one. */
export function wslCommand(
  { marker, env: own }: CommandFacts,
  env: Record<string, string>,
  argv: readonly string[],
): Wrapped {
  const [wsl = 'wsl.exe', ...inside] = argv
  const pidFile = `/tmp/lexora-${marker}.pid`
  // The folders of this side mean nothing there.
  const { TMPDIR: _, VLLM_RPC_BASE_PATH: __, ...passed } = env
  const end = (script: string): string[] => [wsl, '--exec', 'sh', '-c', script, 'sh', pidFile]
  const kept = ['PATH', 'SYSTEMROOT', 'USERPROFILE', 'LOCALAPPDATA'].flatMap((name) =>
    own[name] === undefined ? [] : [[name, own[name]]],
  )
  return {
    argv: [wsl, '--exec', 'sh', '-c', IN_WSL, 'sh', pidFile, ...inside],
    env: { ...Object.fromEntries(kept), ...passed, WSLENV: Object.keys(passed).join(':') },
    halt: { gently: end(TERMINATE_IN_WSL), now: end(KILL_IN_WSL) },
  }
}
