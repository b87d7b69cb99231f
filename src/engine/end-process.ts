const NATURAL_MS = 200

/**
 * Ends this process with a code. It is left to end by itself, since `process.exit` may wait for ever for a thread of V8
 * that compiles and itself waits for a collection. What still holds it after a moment (a client that does not hang up, a
 * timer) is cut off: where the system can, by becoming a program that does nothing but end with that code, which asks no
 * thread of ours. `naturalMs` 0: at once.
 */
export function endProcess(code: number, naturalMs = NATURAL_MS): void {
  process.exitCode = code
  if (naturalMs === 0) cutOff(code)
  else setTimeout(() => cutOff(code), naturalMs).unref()
}

function cutOff(code: number): void {
  process.emit('exit', code)
  try {
    process.execve?.('/bin/sh', ['sh', '-c', `exit ${code}`], {})
  } catch {
    // No such call, or no such program: what is left is the exit that nearly always works.
  }
  process.exit(code)
}
