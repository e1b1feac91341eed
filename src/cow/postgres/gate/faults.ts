import { MeshError, toMeshError } from '../../../core/errors.ts'
import { type PgErrorFields, postgresErrorOf } from '../../../wire/postgres/error-fields.ts'

/** SQLSTATEs that the gate itself answers with (PostgreSQL manual, appendix A). */
export const SQLSTATE = {
  cannotConnect: '08001',
  connectionFailure: '08006',
  protocolViolation: '08P01',
  noSuchCursor: '34000',
  refused: '42501',
  serializationFailure: '40001',
  failedTransaction: '25P02',
  tooManyConnections: '53300',
  programLimit: '54000',
  cancelled: '57014',
  cannotConnectNow: '57P03',
  ioError: '58030',
} as const

/** An error of the gate, in the words in which a client gets it. */
export function gateFault(code: string, message: string, hint?: string): PgErrorFields {
  return { severity: 'ERROR', code, message, ...(hint === undefined ? {} : { hint }) }
}

/** What a client is told whose statement was cancelled, in PostgreSQL's words. */
export const CANCELLED: PgErrorFields = gateFault(SQLSTATE.cancelled, 'canceling statement due to user request')

/** What a client is told of anything that was thrown on the way to production. */
export function faultOf(thrown: unknown): PgErrorFields {
  const answered = postgresErrorOf(thrown)
  // A client's own connection goes on: what is FATAL to ours is an error of its statement.
  if (answered !== undefined) return { ...answered, severity: 'ERROR' }
  const error = toMeshError(thrown)
  const code = error.code === 'MESH_ERR_LIMIT' ? SQLSTATE.programLimit : SQLSTATE.connectionFailure
  return gateFault(code, `mesh cannot read from production: ${error.message}`)
}

/** What production says to a scan of the overlay, whose names were all there once: undefined column and table, schema, type. */
const DRIFT: ReadonlySet<string> = new Set(['42703', '42P01', '3F000', '42704'])

/** The error says that production's schema is another than the branch was made with. */
export function isDrift({ code }: PgErrorFields): boolean {
  return DRIFT.has(code)
}

/** The same error with what to do. */
export function driftFault(fault: PgErrorFields): PgErrorFields {
  const hint =
    "Production's schema has changed since the branch was made. A new branch has it as it is now: mesh cow postgres --branch NAME."
  return { ...fault, message: `production: ${fault.message}`, hint }
}

/** A fault on its way as an exception; `faultOf` gives it back. */
export function thrownFault(fault: PgErrorFields): MeshError {
  return new MeshError('MESH_ERR_POSTGRES', {
    what: fault.message,
    ...(fault.hint === undefined ? {} : { remedy: fault.hint }),
    cause: fault,
  })
}
