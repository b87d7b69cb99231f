import { writeFileSync } from 'node:fs'
import { configShape, type Shape } from '../src/config/shape.ts'

/** The text of resources/lexora_config.schema.json, by which editors complete and check lexora_config.yaml. */
export function schemaFileText(): string {
  const { $schema, ...shape } = configShape as Shape & { $schema?: string }
  return `${JSON.stringify({ $schema, title: 'Lexora configuration', ...shape }, null, 2)}\n`
}

if (import.meta.main) {
  writeFileSync(new URL('../resources/lexora_config.schema.json', import.meta.url), schemaFileText())
}
