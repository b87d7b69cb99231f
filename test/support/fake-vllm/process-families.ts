import type { Context } from './answer.ts'
import type { Histogram } from './counters.ts'
import type { Family, Labels, Sample } from './metric-families.ts'

export function processFamilies({ state }: Context): Family[] {
  const generations = ['0', '1', '2'].map((generation): Sample => [{ generation }, 0])
  const python: Labels = { implementation: 'CPython', major: '3', minor: '11', patchlevel: '7', version: '3.11.7' }
  const memory = process.memoryUsage()
  const gauge = (name: string, help: string, value: number): Family => ({
    name,
    type: 'gauge',
    help,
    samples: [[{}, value]],
  })
  return [
    {
      name: 'python_gc_objects_collected_total',
      type: 'counter',
      help: 'Objects collected during gc',
      samples: generations,
    },
    {
      name: 'python_gc_objects_uncollectable_total',
      type: 'counter',
      help: 'Uncollectable objects found during GC',
      samples: generations,
    },
    {
      name: 'python_gc_collections_total',
      type: 'counter',
      help: 'Number of times this generation was collected',
      samples: generations,
    },
    { name: 'python_info', type: 'gauge', help: 'Python platform information', samples: [[python, 1]] },
    gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.', memory.heapTotal),
    gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', memory.rss),
    gauge(
      'process_start_time_seconds',
      'Start time of the process since unix epoch in seconds.',
      state.startedAt / 1000,
    ),
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'Total user and system CPU time spent in seconds.',
      samples: [[{}, process.cpuUsage().user / 1e6]],
    },
    gauge('process_open_fds', 'Number of open file descriptors.', 32),
    gauge('process_max_fds', 'Maximum number of open file descriptors.', 20_000),
  ]
}

export function httpFamilies({ state }: Context): Family[] {
  const requests = state.counters
    .startingWith('http:')
    .map(([key, value]) => [key.split(' ') as [string, string, string], value] as const)
  const byHandler = new Map<string, number>()
  for (const [[handler], value] of requests) byHandler.set(handler, (byHandler.get(handler) ?? 0) + value)
  const flat = (count: number): Histogram => ({ count, sum: 0, buckets: [] })
  const sizes = [...byHandler].map(([handler, count]): Sample => [{ handler }, flat(count)])
  const durations = requests.map(([[handler, method], value]): Sample => [{ handler, method }, flat(value)])
  const total = [...byHandler.values()].reduce((sum, value) => sum + value, 0)
  return [
    {
      name: 'http_requests_total',
      type: 'counter',
      help: 'Total number of requests by method, status and handler.',
      samples: requests.map(([[handler, method, status], value]) => [{ handler, method, status }, value]),
    },
    {
      name: 'http_request_size_bytes',
      type: 'summary',
      help: 'Content length of incoming requests by handler.',
      samples: sizes,
    },
    {
      name: 'http_response_size_bytes',
      type: 'summary',
      help: 'Content length of outgoing responses by handler.',
      samples: sizes,
    },
    {
      name: 'http_request_duration_highr_seconds',
      type: 'histogram',
      help: 'Latency with many buckets but no API specific labels.',
      samples: [[{}, flat(total)]],
    },
    {
      name: 'http_request_duration_seconds',
      type: 'histogram',
      help: 'Latency with only few buckets by handler.',
      samples: durations,
    },
  ]
}

/** Families that a flag brings. */
export function optionalFamilies(context: Context): Family[] {
  const { settings, state } = context
  const model = settings.models[0]!
  const nothing = state.counters.histogram('nothing')
  const families: Family[] = []
  if (settings.lora) {
    const running = [...state.loras.keys()].join(',')
    const labels = { max_lora: '2', running_lora_adapters: running, waiting_lora_adapters: '' }
    families.push({
      name: 'vllm:lora_requests_info',
      type: 'gauge',
      help: 'Running stats on lora requests.',
      samples: [[labels, Date.now() / 1000]],
    })
  }
  if (settings.enableTools) {
    families.push({
      name: 'vllm:tool_call_parser_invocations_total',
      type: 'counter',
      help: 'Total number of ToolParser invocations.',
      samples: [[{ model_name: model }, 0]],
    })
  }
  if (settings.devMode) {
    families.push({
      name: 'vllm:sleep_mode_operation_duration_seconds',
      type: 'histogram',
      help: 'Duration of one sleep-mode operation.',
      samples: [[{ operation: 'wake' }, nothing]],
    })
    families.push({
      name: 'vllm:sleep_mode_operations_in_flight',
      type: 'gauge',
      help: 'Sleep-mode operations currently awaited.',
      samples: [[{ operation: 'wake' }, 0]],
    })
  }
  return families
}
