/** What `lexora doctor` found, one line each. */
export type DoctorReport = {
  /** True while a Lexora answered for itself; false where the CLI looked alone. */
  running: boolean
  checks: DoctorCheck[]
}

export type DoctorCheck = {
  /** What was looked at: `node`, `config`, `port`, `gpu`, `engine qwen`. */
  about: string
  /** `warn`: it works, and should be known. `fail`: something does not work. */
  level: 'ok' | 'warn' | 'fail'
  /** One sentence: what was found. */
  says: string
  /** What to do; null: nothing, or nothing that Lexora knows. */
  fix: string | null
}
