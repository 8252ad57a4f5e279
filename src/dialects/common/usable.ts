/** What every call to a host asks before it leaves and before its answer is handed out, and how it waits in between. */

import type { TenantContext } from '../../core/context.ts'
import { PartywallError } from '../../core/errors.ts'

/** @throws PartywallError ERR_TENANT_READ_ONLY, ERR_TENANT_REVOKED, ERR_HANDLER_TIMEOUT */
export async function ensureUsable(context: TenantContext): Promise<void> {
  if (context.mode === 'read-only') throw new PartywallError('ERR_TENANT_READ_ONLY')
  const check = context.ensureLive()
  if (check !== undefined) await check
}

/** Waits, unless the context ends before. @throws PartywallError ERR_TENANT_REVOKED */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(new PartywallError('ERR_TENANT_REVOKED'))
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, milliseconds)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
