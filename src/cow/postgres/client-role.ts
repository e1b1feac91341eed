import { MeshError } from '../../core/errors.ts'
import { ADMIN_ROLE, COPY_ROLE } from './overlay/names.ts'

const OURS: ReadonlySet<string> = new Set([ADMIN_ROLE, COPY_ROLE])

/**
 * Clients act as roles of production, of which the overlay has shells without rights. Whoever may pass row-level security there would
 * see production's rows beside their copies, and could write through the foreign tables: no client does.
 *
 * @throws MeshError with 28000 for a role of mesh's own, and for a superuser.
 */
export function requireClientRole(user: string, isSuperuser: boolean): void {
  if (!isSuperuser && !OURS.has(user)) return
  const kind = isSuperuser ? 'a superuser of the overlay' : 'a role of mesh itself'
  throw new MeshError('MESH_ERR_POSTGRES', {
    what: `expected a role of production that is an ordinary one in the overlay, found "${user}", ${kind}`,
    cause: {
      severity: 'FATAL',
      code: '28000',
      message: `role "${user}" is ${kind}, and not for clients`,
      hint: 'Connect as the role that the application has in production.',
    },
  })
}
