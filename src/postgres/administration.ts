/** What an administrator's tools need of the database: one door for the command line and for tests of apps. */

export { withDatabase } from './database-url.ts'
export { migrateApp } from './migrate-app.ts'
export { prepareDatabase } from './prepare.ts'
