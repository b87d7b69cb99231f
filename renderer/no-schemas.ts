/**
 * Stands in the built window for zod: the table of commands is made with it, but arguments are checked by whoever
 * carries the commands out. Whatever is called or looked up here is this same nothing.
 */
export const z: unknown = new Proxy(() => undefined, {
  get: (_, name) => (name === Symbol.toPrimitive ? () => '' : z),
  apply: () => z,
})
