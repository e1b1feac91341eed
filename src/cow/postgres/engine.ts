import { MeshError, systemCode } from '../../core/errors.ts'
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { monotonicNs } from '../../core/clock.ts'
import { type PgErrorFields, postgresErrorOf } from '../../wire/postgres/error-fields.ts'
import type { CancelKey, CowEngine, CowSession, Startup } from '../engine.ts'
import { Branch, type BranchLimits } from './branch/branch.ts'
import type { ProductionGate } from './branch/production-gate.ts'
import { requireClientRole } from './client-role.ts'
import { connectServer, type ServerConnection } from './server-connection.ts'
import type { ServerOptions } from './server-options.ts'
import { PostgresSession } from './session/session.ts'
import type { SnapshotKeeper } from './session/snapshot-keeper.ts'

/** The part of an overlay that sessions need: how to reach its databases as somebody. */
export interface OverlayServer {
  options(user: string, database: string): ServerOptions
  connectAdmin(database: string, signal: AbortSignal): Promise<ServerConnection>
}

/** What a PostgreSQL engine is made of. */
export interface PostgresEngineOptions {
  readonly overlay: OverlayServer
  /** Undefined: foreign tables read production without a gate, each scan by a snapshot of its own. */
  readonly gate?: SnapshotKeeper | undefined
  /** Where statements run that production can run as they are. Undefined: everything runs on the overlay. */
  readonly production?: ProductionGate | undefined
  /** `overlay`: no statement is passed to production. Default `all`. */
  readonly lanes?: 'all' | 'overlay'
  readonly limits: BranchLimits
  /** The overlay's database that a client's name of one stands for; undefined where it may not connect there. */
  readonly databaseOf: (name: string) => string | undefined
}

/** A recovery after a crash takes a second or two; nobody should wait much longer for a login. */
const MAX_PAUSE_MS = 10_000

const RETRY_MS = 100

/**
 * How postgres_fdw introduces a backend to the gate. Clients may set it: to what they like, but not to another session's, which they
 * cannot know. Theirs is back after RESET and DISCARD.
 */
const SCAN_NAME = 'postgres_fdw.application_name'

const AWAY: PgErrorFields = {
  severity: 'FATAL',
  code: '57P03',
  message: 'the overlay is away',
  hint: 'Connect again when its server runs.',
}

/** The server is shut down, has crashed, or starts or recovers (PostgreSQL manual, appendix A). */
const AWAY_CODES: ReadonlySet<string> = new Set(['57P01', '57P02', '57P03'])

/** A server that crashes has taken connections that it never answers. */
const LOST: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE'])

function isAway(thrown: unknown): boolean {
  const answered = postgresErrorOf(thrown)
  if (answered !== undefined) return AWAY_CODES.has(answered.code)
  if (!(thrown instanceof MeshError)) return false
  return thrown.code === 'MESH_ERR_UNREACHABLE' || LOST.has(systemCode(thrown.cause) ?? '')
}

const falsehood = (): boolean => false

/** Copy-on-write sessions over PostgreSQL: one backend of the overlay a client. */
export class PostgresEngine implements CowEngine {
  readonly protocol = 'postgres' as const
  readonly #options: PostgresEngineOptions
  readonly #branches = new Map<string, Promise<Branch>>()
  readonly #sessions = new Map<number, { readonly secretKey: Uint8Array; readonly session: PostgresSession }>()
  #lastProcessId = 0
  /** Resolves when the overlay is back, and what is known of its branches is read anew. */
  #away: Promise<void> | undefined

  constructor(options: PostgresEngineOptions) {
    this.#options = options
  }

  /** Of the databases that clients have asked for. */
  async branches(): Promise<readonly Branch[]> {
    return await Promise.all(this.#branches.values())
  }

  /** Reads a database's schema anew where clients have asked for it, after it was changed past them. */
  async reload(database: string): Promise<void> {
    const branch = await this.#branches.get(database)
    await branch?.reload()
  }

  /**
   * The overlay is away until `back` resolves: it crashed, or was restarted. What it told of touched rows and of its schema at that moment
   * may not have reached us: new sessions wait until it is read anew, or are refused after a while. Old ones are gone with it.
   */
  pauseUntil(back: Promise<void>): void {
    const away = back.then(async () => {
      await Promise.all([...this.#branches.values()].map(async (branch) => (await branch).recover()))
    })
    this.#away = away
    const settle = (): void => {
      if (this.#away === away) this.#away = undefined
    }
    away.then(settle, () => {
      // Read when somebody asks for it next.
      this.#branches.clear()
      settle()
    })
  }

  async #whenBack(): Promise<void> {
    if (this.#away === undefined) return
    const late = new AbortController()
    const tooLate = pause(MAX_PAUSE_MS, true, { signal: late.signal }).catch(() => false)
    const isLate = await Promise.race([this.#away.then(falsehood, falsehood), tooLate])
    late.abort()
    if (isLate) throw new MeshError('MESH_ERR_POSTGRES', { what: AWAY.message, cause: AWAY })
  }

  /**
   * Waits for an overlay that recovers. A login may come in the moment of a crash, before the loss of our own connection is heard: then
   * the server's own word sends it back to wait.
   */
  async open(startup: Startup, signal: AbortSignal): Promise<CowSession> {
    const latestNs = monotonicNs() + MAX_PAUSE_MS * 1e6
    for (;;) {
      await this.#whenBack()
      try {
        return await this.#login(startup, signal)
      } catch (thrown) {
        if (!isAway(thrown) || monotonicNs() >= latestNs) throw thrown
      }
      await pause(RETRY_MS, undefined, { signal })
    }
  }

  async #login(startup: Startup, signal: AbortSignal): Promise<CowSession> {
    const { overlay, gate, databaseOf } = this.#options
    const database = databaseOf(startup.database)
    if (database === undefined) {
      throw new MeshError('MESH_ERR_POSTGRES', {
        what: `expected a database that is proxied, found "${startup.database}"`,
        cause: { severity: 'FATAL', code: '3D000', message: `database "${startup.database}" does not exist` },
      })
    }
    requireClientRole(startup.user, false)
    const branch = await this.#branch(database, signal)
    // A reset that was announced is seen by who comes after it.
    await branch.reloading?.catch(() => undefined)
    const scanName = `mesh ${randomBytes(16).toString('base64url')}`
    const parameters = { ...Object.fromEntries(startup.parameters), [SCAN_NAME]: scanName }
    const options = { ...overlay.options(startup.user, database), parameters }
    const connection = await connectServer(options, signal)
    // A crash that came in between was heard before this connection was taken: what is known of the branch is older than its rows.
    await this.#whenBack().catch((thrown: unknown) => {
      connection.destroy()
      throw thrown
    })
    if (connection.parameters.get('is_superuser') === 'on') {
      connection.destroy()
      requireClientRole(startup.user, true)
    }
    const cancelKey = { processId: ++this.#lastProcessId, secretKey: randomBytes(4) }
    const production = this.#production
    const session = new PostgresSession({
      connection,
      branch,
      gate,
      scanName,
      production,
      user: startup.user,
      cancelKey,
    })
    this.#sessions.set(cancelKey.processId, { secretKey: cancelKey.secretKey, session })
    void connection.closed.then(() => this.#sessions.delete(cancelKey.processId))
    return session
  }

  cancel({ processId, secretKey }: CancelKey): void {
    const found = this.#sessions.get(processId)
    if (found === undefined || Buffer.compare(found.secretKey, secretKey) !== 0) return
    found.session.cancel()
  }

  get #production(): ProductionGate | undefined {
    const { lanes, production } = this.#options
    return lanes === 'overlay' ? undefined : production
  }

  #branch(database: string, signal: AbortSignal): Promise<Branch> {
    const known = this.#branches.get(database)
    if (known !== undefined) return known
    const { overlay, limits } = this.#options
    const branch = Branch.open(database, limits, () => overlay.connectAdmin(database, signal), this.#production)
    this.#branches.set(database, branch)
    branch.catch(() => this.#branches.delete(database))
    return branch
  }
}
