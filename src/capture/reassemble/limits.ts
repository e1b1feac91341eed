/** Bounds of what reassembly remembers, and how long it waits, in capture time. */
export interface ReassembleLimits {
  /**
   * Bytes of one connection that wait behind a hole. At the limit the hole is given up: it becomes a gap, and what waited goes
   * on. Default 4 MiB: about the largest window that common systems open, so more cannot be on the way behind one loss.
   */
  readonly maxHeldBytes: number
  /** The same over all connections. At the limit the one that has waited longest gives up its holes. Default 64 MiB. */
  readonly maxTotalHeldBytes: number
  /**
   * How long bytes are waited for that their receiver has acknowledged. They were on the wire, so they can only come late,
   * from another queue of the capture. Default 1 s: far beyond any such delay.
   */
  readonly holePatienceNs: number
  /** A connection without packets for this long is closed as `cut`. Default 5 min: common keep-alive times lie below. */
  readonly idleNs: number
  /** An ended connection is remembered this long, so that its stragglers do not look like a new one. Default 30 s. */
  readonly lingerNs: number
  /**
   * Connections followed at a time. At the limit the one that was silent longest is closed as `cut`. Default 100,000: 75 MB
   * of memory here, and more in what decodes them.
   */
  readonly maxConnections: number
  /** Ended connections remembered at a time; the oldest is forgotten. Default 20,000. */
  readonly maxEnded: number
}

export const DEFAULT_REASSEMBLE_LIMITS: ReassembleLimits = {
  maxHeldBytes: 4 * 1024 * 1024,
  maxTotalHeldBytes: 64 * 1024 * 1024,
  holePatienceNs: 1e9,
  idleNs: 300e9,
  lingerNs: 30e9,
  maxConnections: 100_000,
  maxEnded: 20_000,
}
