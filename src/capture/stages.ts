import type { Exchange, LateResponse } from '../core/exchange.ts'

/**
 * What stands between an exchange that was put together and the recording, in this order; a part that is absent lets
 * everything through. Plain functions, supplied by the composition:
 *
 * ```
 * exchange -> replay mark? -> matches -> session -> keeps -> mask -> written
 *              filtered       filtered              sampled
 * ```
 *
 * A function that throws loses the exchange (`dropped`, reason `stage-failed`): nothing unmasked is ever written.
 */
export interface Stages {
  /** Record requests that bear the replay mark as well. Default: they are `filtered`, reason `replayed`. */
  readonly keepReplayed?: boolean
  /** Is this exchange meant? Where not, it is `filtered`, reason `match`. A response that is late is not there to be asked. */
  readonly matches?: (exchange: Exchange) => boolean
  /** Whose request is it? The key as it is on the wire, unmasked; '' where only the connection tells. */
  readonly session?: (exchange: Exchange) => string
  /** Is this session part of the sample? Where there is no key, a name of the connection is asked for. */
  readonly keeps?: (session: string) => boolean
  /** The exchange without its secrets, `session` included. It may be the same object where there are none. */
  readonly mask?: (exchange: Exchange) => Exchange
  /** The same for a response that comes after its exchange. */
  readonly maskLate?: (late: LateResponse) => LateResponse
}

/** Everything is recorded as it is, but for requests that bear the replay mark. */
export const KEEP_EVERYTHING: Stages = {}
