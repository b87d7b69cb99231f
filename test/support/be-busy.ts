/** As a program is that starts: for so many milliseconds it hears nothing. */
export function beBusy(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}
