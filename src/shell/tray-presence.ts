/** At login the panel may come a minute after us. */
export const PANEL_COMES_MS = 60_000

/** Whether an icon can be seen, and whether that has been denied for long enough to tell a person. */
export class TrayPresence {
  private readonly onChange: () => void
  private seen: boolean | null = null
  private late: NodeJS.Timeout | null = null
  private isLate = false

  constructor(onChange: () => void) {
    this.onChange = onChange
  }

  /** It can be seen now. */
  get has(): boolean {
    return this.seen === true
  }

  /** Null: nobody knows yet, or a panel may still come. */
  get verdict(): boolean | null {
    if (this.seen === true) return true
    return this.isLate ? false : null
  }

  /** `isFinal`: no panel can ever come. */
  see(hasTray: boolean, isFinal = false): void {
    const before = [this.seen, this.isLate].join()
    this.seen = hasTray
    if (hasTray || isFinal) this.rest()
    this.isLate = !hasTray && (isFinal || this.isLate)
    if (!hasTray && !this.isLate) this.wait()
    if ([this.seen, this.isLate].join() !== before) this.onChange()
  }

  close(): void {
    this.rest()
  }

  private wait(): void {
    this.late ??= setTimeout(() => {
      this.late = null
      this.isLate = true
      this.onChange()
    }, PANEL_COMES_MS)
    this.late.unref()
  }

  private rest(): void {
    if (this.late !== null) clearTimeout(this.late)
    this.late = null
  }
}
