/** Why a shot did not end with a reply; '' is not an error. The list is closed, so that counts can be columns. */
export const SHOT_ERRORS = [
  'none',
  'refused',
  'connect_timeout',
  'dns',
  'tls',
  'timeout',
  'reset',
  'reset_reused',
  'closed',
  'bad_reply',
  'no_ports',
  'no_descriptors',
  'unreachable',
  'shed',
  'aborted',
  'correlation_lost',
] as const
/**
 * `refused` … `tls`: no connection; `timeout` no whole reply in time; `reset` the connection was reset or closed inside the reply
 * (`closed`); `reset_reused` it was reset after bytes were written to a connection that had served before; `bad_reply` the reply's
 * framing cannot be trusted; `no_ports`, `no_descriptors` our own machine is out of them; `shed` never sent: too many in flight;
 * `aborted` the run was stopped first; `correlation_lost` never sent: a reply that it needs a value of failed, or did not have it.
 */
export type ShotError = (typeof SHOT_ERRORS)[number]

/** Shots that never left, whatever the target did. */
export const NEVER_SENT: readonly ShotError[] = ['shed', 'aborted', 'correlation_lost']

/** Errors of our own making: they make a run INVALID, they say nothing of the target. */
export const OWN_ERRORS: ReadonlySet<ShotError> = new Set<ShotError>(['no_ports', 'no_descriptors'])

/**
 * What became of one shot. Four times, in nanoseconds from the run's origin: response time is `done - due`, service time
 * `done - sent`, blocked `max(0, ready - due)`, lag `sent - max(due, ready)`.
 */
export interface Outcome {
  /** Index into the run's list of routes. */
  readonly route: number
  readonly dueNs: number
  readonly readyNs: number
  readonly sentNs: number
  readonly doneNs: number
  /** The reply's status code, 0 where there is none. */
  readonly status: number
  /** The status that was recorded, 0 where none was. */
  readonly recordedStatus: number
  readonly error: ShotError
  readonly bytesSent: number
  readonly bytesReceived: number
}

/** What a user feels: from when the request was due to when its reply was whole. */
export function responseTimeNs(outcome: Outcome): number {
  return outcome.doneNs - outcome.dueNs
}

/** What the target took: from the write of the request (and of its connection) to the whole reply. */
export function serviceTimeNs(outcome: Outcome): number {
  return outcome.doneNs - outcome.sentNs
}

/** How long a request waited for its predecessor's reply on its connection: the target's doing. */
export function blockedNs(outcome: Outcome): number {
  return Math.max(0, outcome.readyNs - outcome.dueNs)
}

/** How late we were ourselves. */
export function lagNs(outcome: Outcome): number {
  return outcome.sentNs - Math.max(outcome.dueNs, outcome.readyNs)
}

/** Takes outcomes as they happen: on the sending thread, so `record` allocates nothing and never throws. */
export interface OutcomeRecorder {
  record(outcome: Outcome): void
}
