import { helpText, optionsFrom } from './command-line.ts'
import { startFakeVllm } from './server.ts'

const asked = optionsFrom(process.argv.slice(2))
if ('problem' in asked) {
  process.stderr.write(`fake-vllm: error: ${asked.problem}\n`)
  process.exit(2)
}
if (asked.help) {
  process.stdout.write(helpText())
  process.exit(0)
}

const fake = await startFakeVllm({ ...asked.options, onDeath: () => process.exit(1) })
for (const fault of asked.faults) fake.fault(fault)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))
await fake.ready
process.stdout.write(`fake vLLM on ${fake.url}\n`)
