import type { ScheduleBlock } from './options.ts'

/**
 * Numbers of the times that a session is sent: its clones, and theirs again each time that the recording starts over. A generation's
 * sessions and request ids are its own.
 */
export class Generations {
  readonly #mostCopies: number
  readonly #block: ScheduleBlock | undefined

  constructor(mostCopies: number, block: ScheduleBlock | undefined) {
    this.#mostCopies = mostCopies
    this.#block = block
  }

  of(loop: number, clone: number): number {
    return (this.#block?.firstGeneration ?? 0) + loop * this.#mostCopies + clone
  }

  /**
   * The generation whose connections carry it. Blocks take over those of the blocks before them, and a loop those of the one before the last,
   * whose clones may still be under way while this one begins: what is measured is not how fast a target accepts connections.
   */
  ofConnections(loop: number, clone: number): number {
    return this.#block === undefined ? loop * this.#mostCopies + clone : 2 * clone + (loop % 2)
  }

  /** Connections are closed behind their last request; those of a block are kept for the next. */
  get closesConnections(): boolean {
    return this.#block === undefined
  }
}
