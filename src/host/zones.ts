/** IANA time zones, as far as Node knows them. */

export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** How far the zone's clocks are ahead of UTC at a moment, both in milliseconds. */
export function offsetMs(moment: number, zone: string): number {
  const format = new Intl.DateTimeFormat('sv', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' })
  const shown = Date.parse(`${format.format(moment).replace(' ', 'T')}Z`)
  return shown - Math.floor(moment / 1000) * 1000
}
