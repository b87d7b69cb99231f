/** Takes server-sent events apart; text may come in any pieces. Comments and unknown fields are skipped. */
export class EventReader {
  private rest = ''

  push(text: string): { name: string; data: string }[] {
    const parts = (this.rest + text).split(/\r?\n\r?\n/)
    this.rest = parts.pop() ?? ''
    return parts.flatMap((part) => {
      const fields = part.split(/\r?\n/).map((line) => /^([^:]*):? ?(.*)$/.exec(line)!)
      const data = fields.filter(([, name]) => name === 'data').map(([, , value]) => value!)
      const name = fields.find(([, field]) => field === 'event')?.[2] ?? 'message'
      return data.length === 0 ? [] : [{ name, data: data.join('\n') }]
    })
  }
}
