/** The part of the gate that sessions need: one snapshot of production for a transaction of the overlay that has one. */
export interface SnapshotKeeper {
  /** The overlay's backend has begun a transaction with one snapshot. */
  beginSnapshot(processId: number): void
  endSnapshot(processId: number): void
}
