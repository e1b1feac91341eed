import { MeshError } from '../../../core/errors.ts'
import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import type { PlannedStatement, TextPlan } from '../branch/text-plan.ts'
import type { Refusal } from '../sql/rewriting.ts'

/** A longer statement, or a longer set of parameters, is refused: it would be held whole, by each of many clients. */
export const MAX_STATEMENT_BYTES: number = 64 * 1024 * 1024

/** What a client may send ahead while its last message is dealt with; more waits in its socket. */
export const MAX_WAITING_BYTES: number = 64 * 1024

/** Of a text with one statement that is run in its new form; undefined: errors pass as they are. */
export function mapper({ direct, statements }: TextPlan): ((fields: PgErrorFields) => PgErrorFields) | undefined {
  const [statement] = statements
  return direct !== undefined && statements.length === 1 && statement !== undefined
    ? statementMapper(statement)
    : undefined
}

/** An error's position is one in the client's text. */
export function statementMapper({ positionOf }: PlannedStatement): (fields: PgErrorFields) => PgErrorFields {
  return (fields) => (fields.position === undefined ? fields : { ...fields, position: positionOf(fields.position) })
}

/** What ends a session: bytes that are no messages, or a failure of our own. */
export function fatalOf(thrown: unknown): PgErrorFields {
  if (isProtocolFault(thrown)) return { severity: 'FATAL', code: '08P01', message: 'invalid message length' }
  return { severity: 'FATAL', code: 'XX000', message: thrown instanceof Error ? thrown.message : String(thrown) }
}

/** Of what a client sent: no server has said anything of it. */
export function isProtocolFault(thrown: unknown): boolean {
  return thrown instanceof MeshError && thrown.code === 'MESH_ERR_POSTGRES' && thrown.cause === undefined
}

export const BACKEND_GONE: PgErrorFields = {
  severity: 'FATAL',
  code: '57P01',
  message: 'the overlay has ended this session',
  hint: 'Connect again; what was not committed is gone.',
}
export const SHUT_DOWN: PgErrorFields = {
  severity: 'FATAL',
  code: '57P01',
  message: 'terminating connection because the proxy is shutting down',
}
export const TOO_LONG: Refusal = {
  code: '54000',
  message: `expected a statement of at most ${MAX_STATEMENT_BYTES} bytes, found a longer one`,
  hint: 'Send large data by COPY.',
}
