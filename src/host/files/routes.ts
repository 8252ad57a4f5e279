/** `GET /files/{id}/{name}`: what was shared. Always as a download: it must not run as a page of the host. */

import { ApiError } from '../server/api-error.ts'
import type { Route } from '../server/reply.ts'
import type { HostState } from '../state.ts'

export const fileRoutes = (state: HostState): Route[] => [
  {
    method: 'GET',
    path: '/files/:id/:name',
    isSecret: true,
    handle: ({ params }) => {
      const file = state.files.find(params.id ?? '', params.name ?? '')
      if (file === undefined) throw new ApiError(404, 'File not found.')
      return {
        status: 200,
        headers: { 'content-disposition': 'attachment' },
        content: { type: 'application/octet-stream', body: file.bytes },
      }
    },
  },
]
