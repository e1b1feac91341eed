import type { TransactionStatus } from '../../../wire/postgres/backend.ts'
import type { PlannedStatement } from '../branch/text-plan.ts'
import type { SnapshotKeeper } from './snapshot-keeper.ts'

/** Tells the gate which transactions of a session have one snapshot of production from their first read on. */
export class TransactionSnapshot {
  readonly #keeper: SnapshotKeeper | undefined
  readonly #processId: number
  /** Transactions of this session have one each unless they say otherwise. */
  #always = false
  #isHeld = false

  /** `processId`: of the session's backend in the overlay, by which the gate knows its foreign scans. */
  constructor(keeper: SnapshotKeeper | undefined, processId: number) {
    this.#keeper = keeper
    this.#processId = processId
  }

  /** Told of each statement before it runs. */
  note({ isolation, statement }: PlannedStatement): void {
    if (isolation === 'all') this.#always = true
    const { detail } = statement
    const begins = detail.kind === 'transaction' && detail.transaction.verb === 'begin'
    const silent = begins && detail.transaction.isolation === undefined
    if (this.#isHeld || !(isolation === 'this' || (silent && this.#always))) return
    this.#isHeld = true
    this.#keeper?.beginSnapshot(this.#processId)
  }

  onStatus(status: TransactionStatus): void {
    if (status !== 'I' || !this.#isHeld) return
    this.#isHeld = false
    this.#keeper?.endSnapshot(this.#processId)
  }
}
