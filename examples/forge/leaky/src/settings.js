// A cache without a tenant in its keys.
const cache = new Map()

export function settingsOf(text) {
  if (!cache.has('settings')) cache.set('settings', { firstText: text })
  return cache.get('settings')
}
