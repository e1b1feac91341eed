/**
 * Every way `mesh` says that it could not do what was asked. The list is closed: `docs/errors.md` has one
 * paragraph a code, and a test holds the two together.
 */
export const ERROR_CODES = [
  'MESH_ERR_USAGE',
  'MESH_ERR_UNIT',
  'MESH_ERR_EXPRESSION',
  'MESH_ERR_HOOK',
  'MESH_ERR_FILE_NOT_FOUND',
  'MESH_ERR_FILE_EXISTS',
  'MESH_ERR_FILE_KIND',
  'MESH_ERR_FILE_CUT',
  'MESH_ERR_FILE_CORRUPT',
  'MESH_ERR_LINK_TYPE',
  'MESH_ERR_DISK_FULL',
  'MESH_ERR_IO',
  'MESH_ERR_PERMISSION',
  'MESH_ERR_TOOL_MISSING',
  'MESH_ERR_PORT_IN_USE',
  'MESH_ERR_ADDRESS',
  'MESH_ERR_UNREACHABLE',
  'MESH_ERR_TLS',
  'MESH_ERR_POSTGRES',
  'MESH_ERR_LIMIT',
  'MESH_ERR_LEDGER',
  'MESH_ERR_NOTHING_TO_DO',
  'MESH_ERR_CONFIRMATION',
  'MESH_ERR_WORKER_DIED',
  'MESH_ERR_ABORTED',
  'MESH_ERR_INTERNAL',
] as const

/** A stable name of one kind of failure; match on this, never on the message. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/** What a `MeshError` knows besides its code: each part is a phrase of the one line that a person reads. */
export interface ErrorFacts {
  /** What went wrong, with what was expected and what was found. */
  readonly what: string
  /** Where: a file with its offset, an address, a flag. */
  readonly where?: string
  /** What the reader can do about it. */
  readonly remedy?: string
  readonly cause?: unknown
}

/** The only error that `mesh` throws on purpose. Its message is one line: what, where, what to do. */
export class MeshError extends Error {
  readonly code: ErrorCode
  readonly what: string
  readonly where: string | undefined
  readonly remedy: string | undefined

  constructor(code: ErrorCode, facts: ErrorFacts) {
    super(oneLine(facts), facts.cause === undefined ? undefined : { cause: facts.cause })
    this.name = 'MeshError'
    this.code = code
    this.what = facts.what
    this.where = facts.where
    this.remedy = facts.remedy
  }
}

function oneLine(facts: ErrorFacts): string {
  const where = facts.where === undefined ? '' : ` (${facts.where})`
  const remedy = facts.remedy === undefined ? '' : `: ${facts.remedy}`
  return `${facts.what}${where}${remedy}`.replaceAll(/\s*\n\s*/g, ' ')
}

const SYSTEM_ERRORS: Readonly<Record<string, { code: ErrorCode; what: string; remedy: string }>> = {
  ENOENT: { code: 'MESH_ERR_FILE_NOT_FOUND', what: 'no such file', remedy: 'check the path' },
  EEXIST: { code: 'MESH_ERR_FILE_EXISTS', what: 'the file exists already', remedy: 'choose another name' },
  EISDIR: { code: 'MESH_ERR_FILE_KIND', what: 'expected a file, found a directory', remedy: 'name a file in it' },
  EACCES: { code: 'MESH_ERR_PERMISSION', what: 'permission denied', remedy: 'run as a user who may' },
  EPERM: { code: 'MESH_ERR_PERMISSION', what: 'not permitted', remedy: 'run as a user who may' },
  ENOSPC: { code: 'MESH_ERR_DISK_FULL', what: 'no space left on the device', remedy: 'free some, or write elsewhere' },
  EDQUOT: { code: 'MESH_ERR_DISK_FULL', what: 'the disk quota is used up', remedy: 'free some, or write elsewhere' },
  EADDRINUSE: { code: 'MESH_ERR_PORT_IN_USE', what: 'the port is in use', remedy: 'stop its owner or choose another' },
  EADDRNOTAVAIL: { code: 'MESH_ERR_ADDRESS', what: 'the address is not one of this machine', remedy: 'name another' },
  ENOTFOUND: { code: 'MESH_ERR_ADDRESS', what: 'the host name does not resolve', remedy: 'check the name' },
  EAI_AGAIN: {
    code: 'MESH_ERR_ADDRESS',
    what: 'the host name does not resolve now',
    remedy: 'check DNS, then try again',
  },
  ECONNREFUSED: { code: 'MESH_ERR_UNREACHABLE', what: 'the connection was refused', remedy: 'is the server running?' },
  EHOSTUNREACH: { code: 'MESH_ERR_UNREACHABLE', what: 'the host cannot be reached', remedy: 'check the route' },
  ETIMEDOUT: { code: 'MESH_ERR_UNREACHABLE', what: 'the connection timed out', remedy: 'check address and firewall' },
  EMFILE: { code: 'MESH_ERR_LIMIT', what: 'out of file descriptors', remedy: 'raise `ulimit -n`' },
  ENFILE: { code: 'MESH_ERR_LIMIT', what: 'the system is out of file descriptors', remedy: 'raise fs.file-max' },
}

/**
 * Turns anything that was thrown into a `MeshError`: system errors by their code, everything else as
 * `MESH_ERR_INTERNAL`. This is the one place where foreign errors are translated.
 */
export function toMeshError(thrown: unknown, where?: string): MeshError {
  if (thrown instanceof MeshError) return thrown
  const place = where === undefined ? {} : { where }
  const code = systemCode(thrown)
  const known = code === undefined ? undefined : SYSTEM_ERRORS[code]
  if (known !== undefined) return new MeshError(known.code, { ...known, ...place, cause: thrown })
  if (code !== undefined && thrown instanceof Error) {
    return new MeshError('MESH_ERR_IO', { what: thrown.message, ...place, cause: thrown })
  }
  const what = thrown instanceof Error ? thrown.message : String(thrown)
  return new MeshError('MESH_ERR_INTERNAL', { what, ...place, cause: thrown })
}

/** The system's own name of an error (`ECONNREFUSED`), where it has one. */
export function systemCode(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' && /^E(?!RR_)[A-Z_0-9]+$/.test(thrown.code) ? thrown.code : undefined
}
