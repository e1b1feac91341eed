import type { MissingResponse } from '../core/exchange.ts'
import type { MessageAssembly } from './message-assembly.ts'
import type { Verdict } from './verdict.ts'

/** What an unfinished exchange costs beside its content: its objects and their place in the lists. An estimate, on the safe side. */
export const HELD_OVERHEAD_BYTES = 1024

/** Who put the exchange together and settles it: its connection. */
export interface HeldExchangeOwner {
  /** The longest hold is over: write it without its response if its request is whole, else as soon as it is. */
  expire(held: HeldExchange): void
  /** Give it up, settled by this verdict. */
  leaveOut(held: HeldExchange, verdict: Verdict): void
}

/** A list that is linked through its exchanges. */
export interface HeldList {
  front: HeldExchange | undefined
  back: HeldExchange | undefined
}

/**
 * An exchange while it is put together: from the first head of either message to the last byte of its response.
 *
 * ```
 * undecided --complete, or request done and missing known--> verdict, over
 *     |------hold is over, request done-------------------> verdict, awaiting the late response --> over
 * ```
 */
export class HeldExchange {
  readonly owner: HeldExchangeOwner
  /** Its message number in the connection. */
  readonly position: number
  request: MessageAssembly | undefined
  response: MessageAssembly | undefined
  /** Why no response will come, once that is known. */
  missing: MissingResponse | undefined
  /** What was decided; undefined while it is not. */
  verdict: Verdict | undefined
  /** Its id in the recording, once it is there. */
  exchangeId = -1
  /** Response bytes were lost while it waited for its response. */
  responseGap = false
  /** Its longest hold is over. */
  overdue = false
  /** Memory that it is charged with, 0 where it is on no list. */
  heldBytes = 0
  /** Its neighbours and its list: kept by `HeldExchanges` alone. */
  previous: HeldExchange | undefined
  next: HeldExchange | undefined
  list: HeldList | undefined

  constructor(owner: HeldExchangeOwner, position: number) {
    this.owner = owner
    this.position = position
  }

  /** It was decided that it is not in the recording: its bytes are only counted. */
  get leftOut(): boolean {
    return this.verdict !== undefined && !this.verdict.recorded
  }

  /** Memory of its content and of itself. */
  contentBytes(): number {
    return HELD_OVERHEAD_BYTES + (this.request?.heldBytes ?? 0) + (this.response?.heldBytes ?? 0)
  }
}
