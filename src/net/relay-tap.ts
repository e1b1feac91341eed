import type { CloseReason, Direction, Endpoint } from '../core/segment.ts'

/**
 * Who watches a relay. Everything is called on the relay's loop, after the bytes were written to their destination: it must
 * be cheap, must not throw, and must not keep `bytes`. Times are nanoseconds of the monotonic clock.
 */
export interface RelayTap {
  open(client: Endpoint, server: Endpoint, atNs: number): ConnectionTap
}

/** Who watches one connection. `close` comes once for each direction. */
export interface ConnectionTap {
  /** `atNs`: when the bytes were read, before they were written. */
  data(direction: Direction, bytes: Buffer, atNs: number): void
  close(direction: Direction, how: CloseReason, atNs: number): void
}

/** Nobody watches. */
export const NO_TAP: RelayTap = { open: () => ({ data: () => undefined, close: () => undefined }) }
