/** What reassembly saw. Bytes are of TCP payload. */
export interface StreamCounters {
  /** Connections opened, and how many of them began before the capture did. */
  connections: number
  midStream: number
  /** Connections that were asked for and never answered, or seen without a byte: not opened. */
  silent: number
  /** Of the connections: closed because nothing came for long, or because there were too many. */
  idle: number
  evicted: number
  /** Bytes handed on. */
  deliveredBytes: number
  /** Bytes that came again: retransmissions, keep-alives, the second copy of a packet seen on two interfaces. */
  repeatedBytes: number
  /** Gaps reported, and their bytes. */
  gaps: number
  missingBytes: number
  /** Of the missing bytes: came after all, after their gap had been reported. */
  lateBytes: number
  /** Bytes after the end of their direction, or before the first that a connection in mid-stream is known from. */
  outsideBytes: number
  /** Connections whose holes were given up because too much waited behind them. */
  forced: number
}

export function emptyStreamCounters(): StreamCounters {
  return {
    connections: 0,
    midStream: 0,
    silent: 0,
    idle: 0,
    evicted: 0,
    deliveredBytes: 0,
    repeatedBytes: 0,
    gaps: 0,
    missingBytes: 0,
    lateBytes: 0,
    outsideBytes: 0,
    forced: 0,
  }
}
