import { recogniseForeign } from './foreign.ts'
import { http1 } from './http1/protocol.ts'
import type { OpaqueReason, Protocol } from './protocol.ts'

/** Every protocol that is decoded. To add one: its folder, and its name here. */
export const PROTOCOLS: readonly Protocol[] = [http1]

/** What a connection speaks, by the first bytes of its client: a protocol of ours, or the reason why it stays opaque. */
export type Recognition = { readonly protocol: Protocol } | { readonly opaque: OpaqueReason }

/** Recognises a connection by the first bytes of its client; undefined: too few to tell. */
export function recognise(head: Uint8Array): Recognition | undefined {
  const foreign = recogniseForeign(head)
  if (foreign === undefined) return undefined
  if (foreign !== 'none') return { opaque: foreign }
  let undecided = false
  for (const protocol of PROTOCOLS) {
    const detected = protocol.detect(head)
    if (detected === true) return { protocol }
    if (detected === undefined) undecided = true
  }
  return undecided ? undefined : { opaque: 'not-http' }
}
