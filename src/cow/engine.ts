import type { Duplex } from 'node:stream'
import type { ProtocolName } from '../core/exchange.ts'

/** What a client says of itself before its first statement. */
export interface Startup {
  readonly user: string
  readonly database: string
  /** What else it asked for: `application_name`, `options`, settings by their names. */
  readonly parameters: ReadonlyMap<string, string>
}

/** Names a session to whoever wants to cancel what it runs. */
export interface CancelKey {
  readonly processId: number
  readonly secretKey: Uint8Array
}

/** One client's view of production's data under its branch's writes. */
export interface CowSession {
  /** What `cancel` takes for this session. */
  readonly cancelKey: CancelKey
  /** Serves the client, whose startup was read and who is authenticated, until it leaves or the signal aborts. Never throws. */
  serve(client: Duplex, signal: AbortSignal): Promise<void>
}

/** A copy-on-write data proxy of one protocol: it opens sessions that read production and write an overlay. */
export interface CowEngine {
  readonly protocol: ProtocolName
  /** @throws MeshError where the session cannot be had: no such database, role or branch, too many sessions. */
  open(startup: Startup, signal: AbortSignal): Promise<CowSession>
  /** Asks for the end of what the session runs; an unknown key does nothing, as in PostgreSQL. */
  cancel(key: CancelKey): void
}
