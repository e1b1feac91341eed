import type { Escape } from './escape.ts'

/** A value that a shot's reply is to be searched for. */
export interface PlannedSource {
  readonly slot: number
  /** Where it stands in the reply, places in lists given: `json .items[3].id`. */
  readonly place: string
}

/** A value of a request that is replaced before it is sent. */
export interface PlannedSink {
  readonly slot: number
  /** Of the value as it is written, in the request's bytes. */
  readonly start: number
  readonly end: number
  readonly escape: Escape
  /** Without a value the request must not be sent; otherwise it is sent with the recorded one. */
  readonly required: boolean
}

/**
 * What a shot has to do with the replies of its session; only shots that source or sink have one. Slots and tickets are numbers that
 * mean something within a clone of a session.
 */
export interface ShotPlan {
  /** Others may wait for this shot's reply by this number; 0: none does. */
  readonly ticket: number
  readonly sources: readonly PlannedSource[]
  /** Tickets whose replies it needs. */
  readonly waits: readonly number[]
  /** In order of `start`, and not overlapping. */
  readonly sinks: readonly PlannedSink[]
  /** Where the digits of Content-Length are, and where the body begins; 0 where no sink is in the body. */
  readonly lengthStart: number
  readonly lengthEnd: number
  readonly bodyStart: number
}

/** Slots below are cookies, by their names; values of single replies come after. */
export const FIRST_SLOT = 4_096

/** Sinks in order, and what a plan has to know where one of them is in the body. `head`: of the request, with the empty line. */
export function framedSinks(
  head: string,
  sinks: readonly PlannedSink[],
): Pick<ShotPlan, 'sinks' | 'lengthStart' | 'lengthEnd' | 'bodyStart'> {
  const sorted = sinks.toSorted((a, b) => a.start - b.start)
  const length = sorted.some(({ start }) => start >= head.length) ? lengthIn(head) : null
  if (length === null) return { sinks: sorted, lengthStart: 0, lengthEnd: 0, bodyStart: 0 }
  const lengthEnd = length.index + length[0].length
  return { sinks: sorted, bodyStart: head.length, lengthEnd, lengthStart: lengthEnd - (length[1] ?? '').length }
}

/** Where the head says how long the body is; null for a chunked one, which has trailers and no length to correct. */
export function lengthIn(head: string): RegExpExecArray | null {
  return /\r\ncontent-length:[ \t]*(\d+)/i.exec(head)
}
