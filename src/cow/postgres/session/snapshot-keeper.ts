/** The part of the gate that sessions need: one snapshot of production for a transaction of the overlay that has one. */
export interface SnapshotKeeper {
  /** A session has begun a transaction with one snapshot. `name`: by which its foreign scans come, known to nobody else. */
  beginSnapshot(name: string): void
  endSnapshot(name: string): void
}
