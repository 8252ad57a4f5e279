/** Branded identifiers and the one function that makes each. */

import { v7 as uuidv7, validate } from 'uuid'

declare const brand: unique symbol

/** UUIDv7 of a tenant: the first column of every key of every row. Never request input, never shown to a host. */
export type TenantUid = string & { readonly [brand]: 'TenantUid' }
/** UUIDv7 of one identity of a tenant. */
export type IdentityUid = string & { readonly [brand]: 'IdentityUid' }

const parse = (value: string): string => {
  if (!validate(value)) throw new TypeError('not a UUID')
  return value
}

export const newTenantUid = (): TenantUid => uuidv7() as TenantUid
export const newIdentityUid = (): IdentityUid => uuidv7() as IdentityUid
/** Brands a UUID read from our own database. */
export const tenantUid = (value: string): TenantUid => parse(value) as TenantUid
/** Brands a UUID read from our own database. */
export const identityUid = (value: string): IdentityUid => parse(value) as IdentityUid
/** A fresh time-ordered id for rows that need one: deliveries, jobs, audit lines. */
export const newRowId = (): string => uuidv7()
