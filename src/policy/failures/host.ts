import { say } from '../../protocol/sentence.ts'
import { type Rule, says } from './rule.ts'

/** reference/vllm.md 3.5. */
export const HOST_RULES: readonly Rule[] = [
  {
    class: 'port_busy',
    match:
      /\[Errno (?:98|48|10048)\].*|Address already in use|port is already allocated|couldn't bind HTTP server socket/,
    explain: (_, { settings }) => ({
      cause:
        settings.port === undefined
          ? say("Another program listens on the engine's port.")
          : say`Another program listens on port ${settings.port}.`,
      fix: say('End that program, or set `port` to a free one.'),
    }),
  },
  {
    class: 'disk',
    whileServing: true,
    match: /(?:\[Errno 28\] )?No space left on device(?:: '(.+?)')?/,
    explain: ([, path]) => ({
      cause: path ? say`The disk is full (${path}).` : say('The disk is full.'),
      fix: say('Free some space: models and compile caches are the largest.'),
    }),
  },
  {
    class: 'disk',
    match: /\[Errno 30\] Read-only file system(?:: '(.+?)')?/,
    explain: ([, path]) => ({
      cause: path ? say`The file system may not be written (${path}).` : say('The file system may not be written.'),
      fix: say("Move the model's and the cache's folder."),
    }),
  },
  {
    class: 'permission',
    match: /\[Errno 13\] Permission denied: '(.+?)'/,
    explain: ([, path]) => ({
      cause: say`It may not read or write ${path}.`,
      fix: say('Give this user access to it.'),
    }),
  },
  {
    class: 'host_limits',
    match: /\[Errno 24\] Too many open files/,
    explain: says(say('It may not open so many files.'), say('Raise the limit of open files (`ulimit -n`).')),
  },
  {
    class: 'cpu_memory',
    match:
      /Available memory on node \d+ \(([\d.]+)\/([\d.]+) GiB\) (?:on kv cache allocation is less than requested memory for kv|on startup is less than desired CPU memory utilization) \(([\d.]+)/,
    explain: ([, free = '', total]) => {
      const space = Math.max(1, Math.floor(Number(free) * 0.5))
      return {
        cause: say`${free} of ${total} GiB of memory are free, which is less than was asked for.`,
        fix: say`Set VLLM_CPU_KVCACHE_SPACE to ${space} in \`env\`.`,
        change: { 'env.VLLM_CPU_KVCACHE_SPACE': String(space) },
      }
    },
  },
  {
    class: 'host_limits',
    whileServing: true,
    match:
      /Resource temporarily unavailable|\[Errno 12\] Cannot allocate memory|can't start new thread|DefaultCPUAllocator: can't allocate memory|std::bad_alloc|MemoryError/,
    canHeal: true,
    explain: says(
      say('The system gave it no more memory or threads.'),
      say('Close other programs, or raise the limits of this user (`ulimit -v`, `ulimit -u`).'),
    ),
  },
  {
    class: 'start_timeout',
    match: /Timed out waiting for engine core processes to start.*?Waited (\d+)s/,
    canHeal: true,
    explain: ([, seconds]) => {
      const longer = Number(seconds) * 3
      return {
        cause: say`Loading took longer than the ${seconds} s that vLLM waits.`,
        fix: say`Set VLLM_ENGINE_READY_TIMEOUT_S to ${longer} in \`env\`.`,
        change: { 'env.VLLM_ENGINE_READY_TIMEOUT_S': String(longer) },
      }
    },
  },
  {
    class: 'environment',
    match: /undefined symbol: |(lib(?:cudart|cublas|cudnn|nccl|torch)\S*?\.so[\d.]*): cannot open shared object file/,
    explain: ([, library]) => ({
      cause: library
        ? say`${library} is missing: its parts are of different builds.`
        : say('Its parts are of different builds.'),
      fix: say('Install the engine anew, into an environment of its own.'),
    }),
  },
  {
    class: 'environment',
    match:
      /ModuleNotFoundError: No module named '([\w.]+)'|PackageNotFoundError: No package metadata was found for (\S+)/,
    explain: ([, module, packageName]) => ({
      cause: say`The Python environment has no ${module ?? packageName}.`,
      fix: say('Install the engine anew, or set `venv` to an environment that has it.'),
    }),
  },
  {
    class: 'ipc_path',
    match: /ipc path ".*?" is longer than (\d+) characters/,
    explain: says(
      say('The folder for its sockets has too long a name.'),
      say('Set VLLM_RPC_BASE_PATH to a short folder in `env`.'),
      { 'env.VLLM_RPC_BASE_PATH': '/tmp' },
    ),
  },
]
