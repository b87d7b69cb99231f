/** Asks again and again, one after the other, until an answer fulfils `holds`; gives up after ten seconds. */
export async function poll<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const answer = await ask()
    if (holds(answer)) return answer
    if (performance.now() > deadline) throw new Error(`it did not come; last: ${JSON.stringify(answer)}`)
  }
}
