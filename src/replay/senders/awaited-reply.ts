import type { ReplyCapture } from '../correlate/reply-capture.ts'
import type { ValueJar } from '../correlate/value-jar.ts'

/** A reply that is kept for the values in it: it goes with its shot until that has ended. */
export interface AwaitedReply {
  readonly jar: ValueJar
  readonly ticket: number
  readonly capture: ReplyCapture
}
