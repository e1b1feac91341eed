import type { TransactionStatus } from '../../../wire/postgres/backend.ts'
import type { PlannedStatement } from '../branch/text-plan.ts'
import type { SnapshotKeeper } from './snapshot-keeper.ts'

/** Tells the gate which transactions of a session have one snapshot of production from their first read on. */
export class TransactionSnapshot {
  readonly #keeper: SnapshotKeeper | undefined
  readonly #name: string
  /** Transactions of this session have one each unless they say otherwise. */
  #always = false
  #isHeld = false

  /** `name`: by which the gate knows the session's foreign scans. */
  constructor(keeper: SnapshotKeeper | undefined, name: string) {
    this.#keeper = keeper
    this.#name = name
  }

  /** Told of each statement before it runs. */
  note({ isolation, statement }: PlannedStatement): void {
    if (isolation === 'all') this.#always = true
    const { detail } = statement
    const begins = detail.kind === 'transaction' && detail.transaction.verb === 'begin'
    const silent = begins && detail.transaction.isolation === undefined
    if (this.#isHeld || !(isolation === 'this' || (silent && this.#always))) return
    this.#isHeld = true
    this.#keeper?.beginSnapshot(this.#name)
  }

  onStatus(status: TransactionStatus): void {
    if (status !== 'I' || !this.#isHeld) return
    this.#isHeld = false
    this.#keeper?.endSnapshot(this.#name)
  }
}
