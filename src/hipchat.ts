/** Public exports of `partywall/hipchat`: what a port from ac-koa-hipchat needs beside the app, bound to no framework. */

export { type HipchatEnvironment, hipchatEnvironment } from './dialects/hipchat/legacy/environment.ts'
export { type HipchatCommand, type HipchatPackage, hipchatPackage } from './dialects/hipchat/legacy/package.ts'
export { patternToRegExp, regExpToPattern } from './dialects/hipchat/pattern-translation.ts'
