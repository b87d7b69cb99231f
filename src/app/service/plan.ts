/** What a service is to run. Absolute paths. */
export type ServiceProgram = {
  node: string
  entry: string
  /** LEXORA_HOME; null: the platform's own folders. */
  home: string | null
  /** Where it may leave what it prints. */
  logDir: string
  configPath: string | null
  /** The user that it runs as; null: who installs it. */
  runAs: string | null
  /** Units that it starts beside, if they are there: an engine that somebody runs by himself. */
  wants: readonly string[]
}

export type ServiceScope = 'user' | 'system'

/** One program to run, and whether its failure is one. */
export type Step = { argv: readonly string[]; mayFail?: true }

/** How a service is put in and taken out: one file, and what makes the system read it. */
export type ServicePlan = {
  path: string
  text: string
  install: readonly Step[]
  uninstall: readonly Step[]
  status: Step
}

export const SERVICE = 'lexora'

/** The words that start it. */
export function programWords({ node, entry, configPath }: ServiceProgram): string[] {
  return [node, entry, '--no-ui', ...(configPath === null ? [] : ['--config', configPath])]
}
