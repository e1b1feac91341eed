import { int16At } from '../../../core/bytes.ts'
import { resultFormatsAt } from '../../../wire/postgres/bind-tail.ts'

/** One statement for production, as a client's Parse and Bind gave it. */
export interface UpstreamStatement {
  readonly text: string
  /** Oids; 0: the server infers. */
  readonly parameterTypes: readonly number[]
  /** What stands in a Bind message behind the two names: formats, values and result formats. */
  readonly bindTail: Uint8Array
}

/** The formats that a Bind's tail asks results in, as a text: a RowDescription has them in it. */
export function resultFormatsOf(bindTail: Uint8Array): string {
  const at = resultFormatsAt(bindTail) ?? bindTail.length
  const count = int16At(bindTail, at)
  if (count === 0) return ''
  let formats = String(int16At(bindTail, at + 2))
  for (let place = 1; place < count; place++) formats += `,${int16At(bindTail, at + 2 + 2 * place)}`
  return formats
}

/** The tail of a Bind message without parameters, results in text form. */
export const NO_PARAMETERS: Uint8Array = new Uint8Array(6)

/** Takes the rows of one execution. Bytes are borrowed: copied by whoever keeps them. */
export interface RowSink {
  /** A whole RowDescription message. Not called where the statement has no rows. */
  description?(bytes: Uint8Array): void
  /** Whole DataRow messages, or a piece of a huge one; `messages` end in it. False: stop reading until `whenReady` resolves. */
  rows(bytes: Uint8Array, messages: number): boolean
  whenReady(): Promise<void>
}
