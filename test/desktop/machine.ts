/** A machine for the screens that manage: a fake `vllm` and GPU on PATH, a hub of its own, models in its cache. */
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { aGpu, createFakeHost, type FakeHost } from '../support/fake-vllm/process/host.ts'

const COMMIT = 'c0ffee0000000000000000000000000000000001'

/** As small as an 8B model can be said. */
const CONFIG = {
  architectures: ['Qwen3ForCausalLM'],
  hidden_size: 4096,
  intermediate_size: 12_288,
  num_hidden_layers: 36,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  head_dim: 128,
  vocab_size: 151_936,
  max_position_embeddings: 40_960,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
}

export type Machine = {
  host: FakeHost
  env: Record<string, string>
  /** The path of a model's folder in the cache. */
  addModel: (repo: string, bytes: number, config?: Record<string, unknown>) => string
  dispose: () => void
}

export function aMachine({ hub = 'http://127.0.0.1:9', gpu = true } = {}): Machine {
  const root = mkdtempSync(join(tmpdir(), 'lexora-machine-'))
  const host = createFakeHost({
    vllm: { timeScale: 0.01, tokens: 24, tokenMs: 8, ttftMs: 40 },
    smi: { gpus: [aGpu({ name: 'NVIDIA GeForce RTX 5090', totalMib: 32_607, usedMib: 1228 })] },
  })
  if (!gpu) host.install('nvidia-smi', null)
  const cache = join(root, 'hf', 'hub')
  mkdirSync(cache, { recursive: true })
  return {
    host,
    env: {
      HF_HOME: join(root, 'hf'),
      HF_ENDPOINT: hub,
      HOME: root,
      PATH: `${host.bin}${delimiter}${process.env['PATH'] ?? ''}`,
    },
    addModel: (repo, bytes, config = {}) => {
      const folder = join(cache, `models--${repo.replace('/', '--')}`)
      const snapshot = join(folder, 'snapshots', COMMIT)
      mkdirSync(snapshot, { recursive: true })
      mkdirSync(join(folder, 'refs'), { recursive: true })
      writeFileSync(join(folder, 'refs', 'main'), COMMIT)
      writeFileSync(join(snapshot, 'config.json'), JSON.stringify({ ...CONFIG, ...config }))
      writeFileSync(join(snapshot, 'tokenizer.json'), '{}')
      writeWeights(join(snapshot, 'model.safetensors'), bytes)
      return snapshot
    },
    dispose: () => {
      host.dispose()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** Sparse: it takes no room, whatever it says. */
function writeWeights(path: string, bytes: number): void {
  const header = weightsHeader(bytes)
  const file = openSync(path, 'w')
  writeSync(file, header)
  ftruncateSync(file, header.length + bytes)
  closeSync(file)
}

function weightsHeader(bytes: number): Buffer {
  const header = Buffer.from(JSON.stringify({ w: { dtype: 'BF16', shape: [bytes / 2], data_offsets: [0, bytes] } }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header])
}

/** A whole small model, as a hub gives it out. */
export function hubFiles(bytes: number): Record<string, Buffer | string> {
  return {
    'config.json': JSON.stringify(CONFIG),
    'tokenizer.json': '{}',
    'model.safetensors': Buffer.concat([weightsHeader(bytes), Buffer.alloc(bytes, 7)]),
  }
}
