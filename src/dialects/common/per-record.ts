/** What follows from a frozen record is made once and lives as long as the record. No other state may live here. */

/** @param make  from the record alone */
export function perRecord<K extends object, V extends object>(make: (record: K) => V): (record: K) => V {
  const made = new WeakMap<K, V>()
  return record => {
    const known = made.get(record)
    if (known !== undefined) return known
    const value = make(record)
    made.set(record, value)
    return value
  }
}
