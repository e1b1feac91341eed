import { http1 } from './http1/protocol.ts'
import type { Protocol } from './protocol.ts'

/** Every protocol that is decoded, by its name. To add one: its folder, and its line here. */
export const PROTOCOLS: { readonly http1: Protocol } = { http1 }
