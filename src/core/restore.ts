import { MeshError } from './errors.ts'
import type { Exchange, LateResponse, Message } from './exchange.ts'
import type { Change, MessageOriginals, Originals } from './originals.ts'

/** No part of a message that was recorded is longer: a body has at most 32 MiB. A damaged list of changes must not fill the memory. */
const MAX_RESTORED_BYTES = 40 * 1024 * 1024

/** The exchange as it was before it was masked. */
export function restoreExchange(exchange: Exchange, originals: Originals): Exchange {
  const { request, response } = exchange
  return {
    ...exchange,
    session: originals.session ?? exchange.session,
    request: restoreMessage(request, originals.request),
    response: typeof response === 'string' ? response : restoreMessage(response, originals.response),
  }
}

/** The same of a response that came late. */
export function restoreLateResponse(late: LateResponse, { response }: Originals): LateResponse {
  return { ...late, response: restoreMessage(late.response, response) }
}

function restoreMessage<Kind extends Message>(message: Kind, originals: MessageOriginals | undefined): Kind {
  if (originals === undefined) return message
  return {
    ...message,
    head: restoreBytes(message.head, originals.head),
    body: restoreBytes(message.body, originals.body),
    trailers: restoreBytes(message.trailers, originals.trailers),
    cut: originals.wasWhole ? undefined : message.cut,
  }
}

/**
 * The bytes with each change undone; the same array where there is none.
 *
 * @throws MeshError MESH_ERR_FILE_CORRUPT where the changes do not fit the bytes.
 */
export function restoreBytes(masked: Uint8Array, changes: readonly Change[]): Uint8Array {
  if (changes.length === 0) return masked
  let length = masked.length
  let last = 0
  for (const { start, end, original } of changes) {
    if (start < last || end < start || end > masked.length) throw misfit()
    length += original.length - (end - start)
    last = end
  }
  if (length > MAX_RESTORED_BYTES) throw misfit()
  const restored = new Uint8Array(length)
  let copied = 0
  let at = 0
  for (const { start, end, original } of changes) {
    restored.set(masked.subarray(copied, start), at)
    at += start - copied
    restored.set(original, at)
    at += original.length
    copied = end
  }
  restored.set(masked.subarray(copied), at)
  return restored
}

function misfit(): MeshError {
  return new MeshError('MESH_ERR_FILE_CORRUPT', {
    what: 'expected sealed originals that fit their message, found others',
  })
}
