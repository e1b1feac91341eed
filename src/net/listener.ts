import { once } from 'node:events'
import type { Server } from 'node:net'
import { MeshError, toMeshError } from '../core/errors.ts'
import { formatEndpoint } from '../core/segment.ts'
import type { Endpoint } from '../core/segment.ts'

/** Connections that the kernel holds for us before we accept them: a burst of thousands at once is not refused. */
const BACKLOG = 4096

/**
 * Binds a server and gives the address it has; port 0 asks the system for a free one. Throws `MESH_ERR_PORT_IN_USE`,
 * `MESH_ERR_PERMISSION`, `MESH_ERR_ADDRESS` with the address that was asked for.
 */
export async function listen(server: Server, endpoint: Endpoint): Promise<Endpoint> {
  const where = formatEndpoint(endpoint)
  try {
    server.listen({ host: endpoint.address, port: endpoint.port, backlog: BACKLOG })
    await once(server, 'listening')
  } catch (thrown) {
    throw toMeshError(thrown, where)
  }
  const bound = server.address()
  if (bound === null || typeof bound === 'string') {
    throw new MeshError('MESH_ERR_ADDRESS', { what: 'expected an address with a port, found none', where })
  }
  return { address: bound.address, port: bound.port }
}
