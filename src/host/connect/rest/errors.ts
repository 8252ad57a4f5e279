/** Errors of the products' APIs. One form for all: it has the members that Jira, Confluence and Connect's own calls have. */

import type { ErrorReply } from '../../server/api-error.ts'

export const connectErrorReply: ErrorReply = (status, message, headers = {}) => ({
  status,
  headers,
  json: { statusCode: status, message, errorMessages: [message], errors: {} },
})
