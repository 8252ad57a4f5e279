/** `partywall/testing`: helpers and case lists for tests of apps and of parts that replace ours. No test runner is needed. */

export { type StoreCase, type StoreHarness, storeCases } from './store-cases.ts'
export { type TestTenant, type WithTenantsOptions, withTenants } from './with-tenants.ts'
