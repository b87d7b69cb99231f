import { describe, expect, test } from 'vitest'
import { readEngineMetrics } from '../../src/wire/engine-metrics.ts'
import { startFake } from '../support/app.ts'

const cache = (labels: string): string => `vllm:cache_config_info{${labels}} 1.0`

describe('the metrics of a vLLM', () => {
  test('tell how busy it is and how much its cache holds, as the fake prints them', async () => {
    const fake = await startFake()
    const text = await (await fetch(`${fake.url}/metrics`)).text()
    expect(readEngineMetrics(text)).toEqual({
      running: 0,
      waiting: 0,
      kvUse: 0,
      preemptions: 0,
      kvTokens: 1_048_576,
    })
  })

  test('of several engines behind one port are added up; the fullest cache counts', () => {
    const text = [0, 1]
      .flatMap((engine) => [
        `vllm:num_requests_running{engine="${engine}",model_name="m"} ${3 + engine}.0`,
        `vllm:num_requests_waiting{engine="${engine}",model_name="m"} 2.0`,
        `vllm:num_requests_waiting_by_reason{engine="${engine}",reason="capacity"} 2.0`,
        `vllm:kv_cache_usage_perc{engine="${engine}",model_name="m"} 0.${2 + engine}`,
        `vllm:num_preemptions_total{engine="${engine}",model_name="m"} 1.0`,
        `vllm:num_preemptions_created{engine="${engine}",model_name="m"} 1.7e+09`,
        cache(`block_size="16",engine="${engine}",num_gpu_blocks="1000"`),
      ])
      .join('\n')
    expect(readEngineMetrics(text)).toEqual({ running: 7, waiting: 4, kvUse: 0.3, preemptions: 2, kvTokens: 32_000 })
  })

  test('of an older one are read by their older names, without the size of a cache that is not told', () => {
    const text =
      'vllm:num_requests_running{model_name="m"} 1\nvllm:gpu_cache_usage_perc{model_name="m"} 0.5\n' +
      cache('block_size="None",num_gpu_blocks="None"')
    expect(readEngineMetrics(text)).toEqual({ running: 1, waiting: 0, kvUse: 0.5, preemptions: 0, kvTokens: null })
  })

  test.each(['', '{"detail":"Not Found"}', 'python_gc_objects_collected_total 5\n', 'vllm:num_requests_running'])(
    '%j is no vLLM’s',
    (text) => expect(readEngineMetrics(text)).toBeNull(),
  )
})
