import type { ErrorCode } from '../core/errors.ts'

/** What a shell sees. Stable: scripts depend on them. A run's code is only ever raised, never lowered. */
export const EXIT = {
  ok: 0,
  couldNotRun: 1,
  usage: 2,
  checkFailed: 3,
  notValid: 4,
  breaker: 5,
  interrupted: 130,
  terminated: 143,
} as const

/** An exit code of `mesh`. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const USAGE_ERRORS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'MESH_ERR_USAGE',
  'MESH_ERR_UNIT',
  'MESH_ERR_EXPRESSION',
  'MESH_ERR_HOOK',
  'MESH_ERR_CONFIRMATION',
])

/** The exit code of an error that ended a verb. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  if (USAGE_ERRORS.has(code)) return EXIT.usage
  return code === 'MESH_ERR_LEDGER' ? EXIT.checkFailed : EXIT.couldNotRun
}
