/** Objects with getters that do work when they are read: how to add to them without reading. */

/** Adds facts to services without asking for any of them. */
export function extend<S extends object, F extends object>(services: S, facts: F): S & F {
  const descriptors = { ...Object.getOwnPropertyDescriptors(services), ...Object.getOwnPropertyDescriptors(facts) }
  return Object.defineProperties({}, descriptors) as S & F
}
