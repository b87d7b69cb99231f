const MASK = '***'

/** Shapes of secrets that a message may carry without our knowing them: bearer tokens and the usual key prefixes. */
const PATTERNS = [
  /\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi,
  /\b(?:sk|lx|pk|hf|gsk|xai)[-_][A-Za-z0-9_-]{8,}/g,
  /((?:api[-_]?key|authorization|token|secret|password)["']?\s*[:=]\s*["']?)[^\s"',;&]{4,}/gi,
]

/** Replaces known secrets and everything that looks like one. The last gate before any sink; it has no off switch. */
export class Redactor {
  private readonly secrets: string[] = []

  /** Names a secret that must never appear anywhere; short ones are left to the patterns, they would mask plain words. */
  add(secret: string): void {
    if (secret.length < 6 || this.secrets.includes(secret)) return
    this.secrets.push(secret)
    // Longest first: one that begins with another must not be left with its tail.
    this.secrets.sort((a, b) => b.length - a.length)
  }

  redact(text: string): string {
    let clean = text
    for (const secret of this.secrets) clean = clean.replaceAll(secret, MASK)
    for (const pattern of PATTERNS) clean = clean.replace(pattern, (_, lead: unknown) => mask(lead))
    return clean
  }
}

function mask(lead: unknown): string {
  if (typeof lead !== 'string') return MASK
  return /^(bearer|basic)$/i.test(lead) ? `${lead} ${MASK}` : `${lead}${MASK}`
}
