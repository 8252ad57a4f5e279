/** A table that forgets its oldest entries. */

/** @param max how many entries stay */
export function keepNewest<V>(table: Map<string, V>, key: string, value: V, max: number): void {
  table.set(key, value)
  const [oldest] = table.keys()
  if (table.size > max && oldest !== undefined) table.delete(oldest)
}
