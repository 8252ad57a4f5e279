/** The Redis store of the old libraries. Nothing is written to Redis. */

import { type RedisClient, readText, scanKeys } from '../../common/redis/client.ts'
import type { OldStoreSource } from './old-store.ts'

/** @example await importHipchatStore(addon, redisStoreSource(await connectRedis(url))) */
export const redisStoreSource = (client: RedisClient): OldStoreSource => ({
  keys: prefix => scanKeys(client, prefix),
  read: keys => Promise.all(keys.map(key => readText(client, key))),
})
