import { concatBytes } from '../../../core/bytes.ts'
import { BACKEND } from '../../../wire/postgres/backend.ts'
import type { PgMessage } from '../../../wire/postgres/framer.ts'
import { FRONTEND } from '../../../wire/postgres/frontend.ts'
import { MessageBuilder } from '../../../wire/postgres/message-builder.ts'
import type { KnownText } from '../branch/known-texts.ts'
import type { PassedPortal } from '../gate/passed.ts'
import type { BoundValues } from './bound-values.ts'
import type { LaneChoice } from './lane-choice.ts'
import type { ReplyCollector } from './reply-queue.ts'
import type { PreparedStatement } from './statement-store.ts'

/** A portal of a statement that runs on production. */
export interface LocalPortal {
  readonly prepared: PreparedStatement
  readonly statement: string
  readonly choice: LaneChoice
  readonly text: string
  readonly values: BoundValues
  /** Rows are left in it there. */
  open: PassedPortal | undefined
  isDone: boolean
}

/** Passes a statement's description on, and keeps it. */
export class DescriptionKeeper implements ReplyCollector {
  readonly #known: KnownText
  readonly #toClient: (bytes: Uint8Array) => void
  #parameters: Uint8Array | undefined

  constructor(known: KnownText, toClient: (bytes: Uint8Array) => void) {
    this.#known = known
    this.#toClient = toClient
  }

  message(type: number, _payload: Uint8Array, bytes: Uint8Array): void {
    this.#toClient(bytes)
    if (type === BACKEND.parameterDescription) this.#parameters = Uint8Array.from(bytes)
    else if (this.#parameters !== undefined) this.#known.description = concatBytes([this.#parameters, bytes])
  }

  piece(bytes: Uint8Array): void {
    this.#toClient(bytes)
  }
}

/** The Bind of a portal, under whatever name. */
export function bindMessage(portal: string, { statement, values }: LocalPortal): Uint8Array {
  const builder = new MessageBuilder(32 + values.tail.length).begin(FRONTEND.bind)
  return builder.text(portal).text(statement).bytes(values.tail).end().finish()
}

/** A message whose bytes are its own. */
export function messageOf(bytes: Uint8Array): PgMessage {
  return { type: bytes[0] ?? 0, bytes, payload: bytes.subarray(5) }
}
