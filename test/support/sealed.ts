import { identityToRecipient, generateIdentity } from 'age-encryption'
import type { Exchange, LateResponse, Message } from '../../src/core/exchange.ts'
import type { Change, MessageOriginals } from '../../src/core/originals.ts'
import { restoreExchange, restoreLateResponse } from '../../src/core/restore.ts'
import fc from 'fast-check'

/** A new secret key of age, and its public one. */
export async function ageKeys(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const identity = await generateIdentity()
  return { identity, recipient: await identityToRecipient(identity) }
}

/** Any changes of these bytes that follow each other. */
function anyChanges(bytes: Uint8Array): fc.Arbitrary<readonly Change[]> {
  const places = fc.uniqueArray(fc.nat(bytes.length), { maxLength: 6 })
  const value = fc.oneof(fc.constantFrom('secret', 'another'), fc.string({ maxLength: 20 }))
  return fc.tuple(places, fc.array(value, { minLength: 3, maxLength: 3 })).map(([all, values]) => {
    const sorted = all.toSorted((a, b) => a - b)
    return values.flatMap((text, index): Change[] => {
      const [start, end] = [sorted[2 * index], sorted[2 * index + 1]]
      return start === undefined || end === undefined ? [] : [{ start, end, original: Buffer.from(text) }]
    })
  })
}

/** Any originals of a message. */
function anyMessageOriginals(of: Message): fc.Arbitrary<MessageOriginals | undefined> {
  const originals = fc.record({
    head: anyChanges(of.head),
    body: anyChanges(of.body),
    trailers: anyChanges(of.trailers),
    wasWhole: fc.boolean(),
  })
  return fc.option(originals, { nil: undefined })
}

/** The exchange as a masker gives it, with any originals. */
export function withAnyOriginals(exchange: Exchange): fc.Arbitrary<Exchange> {
  const { request, response } = exchange
  const ofResponse = typeof response === 'string' ? fc.constant(undefined) : anyMessageOriginals(response)
  return fc
    .record({
      session: fc.option(fc.constantFrom('sid=secret', 'ann'), { nil: undefined }),
      request: anyMessageOriginals(request),
      response: ofResponse,
    })
    .map((originals) => ({ ...exchange, originals }))
}

/** The exchange as it was received. */
export function received({ originals, ...exchange }: Exchange): Exchange {
  return originals === undefined ? exchange : restoreExchange(exchange, originals)
}

/** The same of a late response. */
export function receivedLate({ originals, ...late }: LateResponse): LateResponse {
  return originals === undefined ? late : restoreLateResponse(late, originals)
}
