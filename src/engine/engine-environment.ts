import { namesOf } from '../config/adapters.ts'
import type { CommandFacts } from './engine-command.ts'
import type { EngineConfig } from './launch.ts'

export function vllmEnvironment(config: EngineConfig, facts: CommandFacts): Record<string, string> {
  return {
    VLLM_API_KEY: facts.key,
    VLLM_NO_USAGE_STATS: '1',
    DO_NOT_TRACK: '1',
    NO_COLOR: '1',
    PYTHONUNBUFFERED: '1',
    // Its sockets, which it leaves behind, lie where they are cleaned up; the path must be short.
    VLLM_RPC_BASE_PATH: facts.runDir,
    TMPDIR: facts.runDir,
    VLLM_HOST_IP: '127.0.0.1',
    // Its own 5 s race with a client's next request on the same connection.
    VLLM_HTTP_TIMEOUT_KEEP_ALIVE: '75',
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    ...gpuEnvironment(config),
    ...hubEnvironment(facts.isComplete || facts.isHubOff),
    // `true` would crash it.
    ...(config.sleep === 'off' ? {} : { VLLM_SERVER_DEV_MODE: '1' }),
    ...(namesOf(config).size === 0 ? {} : { VLLM_ALLOW_RUNTIME_LORA_UPDATING: '1' }),
  }
}

/** For whatever fetches models by the hub's own library. */
export function hubEnvironment(isOff: boolean): Record<string, string> {
  return isOff ? { HF_HUB_OFFLINE: '1' } : {}
}

export function gpuEnvironment({ gpus }: EngineConfig): Record<string, string> {
  if (gpus.length === 0) return {}
  const list = gpus.join(',')
  return { CUDA_VISIBLE_DEVICES: list, HIP_VISIBLE_DEVICES: list }
}

export function ownEnvironment({ env }: EngineConfig): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]))
}

const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|XDG_(CACHE|CONFIG|DATA)_HOME|HF_\w+|HUGGING_FACE_HUB_TOKEN|TRANSFORMERS_CACHE|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|CUDA_HOME|CUDA_PATH|CUDA_CACHE_PATH|NVIDIA_\w+|NCCL_\w+|ROCM_\w+|ROCR_\w+|HSA_\w+|HIP_\w+|CUDA_VISIBLE_DEVICES|TRITON_\w+|DOCKER_\w+|SYSTEMROOT|WINDIR|COMSPEC|PATHEXT|TEMP|TMP|TMPDIR|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMDATA|PROGRAMFILES)$/i

/**
 * Of Lexora's environment only what a program needs to find its home, its files and its GPUs. Of an AppImage or of
 * Electron nothing: their libraries in LD_LIBRARY_PATH break Python (reference/vllm.md 10.23).
 */
export function cleanEnvironment(env: CommandFacts['env']): Record<string, string> {
  const kept: Record<string, string> = {}
  const libraries = env['APPIMAGE'] === undefined && env['APPDIR'] === undefined
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue
    if (PASSED_ON.test(name) || (libraries && name === 'LD_LIBRARY_PATH')) kept[name] = value
  }
  return kept
}
