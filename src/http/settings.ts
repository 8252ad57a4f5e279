/** Settings of numbers: defaults, what the app gave instead, checked once when the part is made. */

/**
 * @returns every setting of `defaults`, replaced where `given` has one; names `defaults` does not know are left out
 * @throws TypeError for a value that is not a positive number
 */
export function mergeSettings<T extends object>(defaults: T, given: Partial<T>): T {
  const merged = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof T & string)[]) {
    const value = given[name] ?? defaults[name]
    if (!(Number(value) > 0)) throw new TypeError(`setting ${name}: a positive number expected`)
    merged[name] = value
  }
  return merged
}
