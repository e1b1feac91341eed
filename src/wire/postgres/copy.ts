import { emptyMessage, MessageBuilder } from './message-builder.ts'

/** What flows in a copy, the same in both directions. */
export const COPY_DATA = 0x64
export const COPY_DONE = 0x63

const DONE = emptyMessage(COPY_DONE)

export function copyData(data: Uint8Array): Uint8Array {
  return new MessageBuilder(data.length + 5).begin(COPY_DATA).bytes(data).end().finish()
}

/** Shared bytes: never write to them. */
export function copyDone(): Uint8Array {
  return DONE
}
