import type { LatencyFigures } from '../measure/figures.ts'

/** What became of one stage. */
export interface StageResult {
  /** Shots that were due in its seconds, without the warm-up's. */
  readonly offered: number
  /** The time that this was due in. */
  readonly windowNs: number
  readonly sent: number
  readonly replies: number
  /** Shots without a reply, and replies of status 500 and above. */
  readonly errors: number
  /** Of what ended in it. */
  readonly responseTime: LatencyFigures
}
