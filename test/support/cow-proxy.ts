import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OverlayPair } from './overlay-pair.ts'
import { startOverlayPair } from './overlay-pair.ts'
import { type Branch, DEFAULT_BRANCH_LIMITS } from '../../src/cow/postgres/branch/branch.ts'
import { type OverlayServer, PostgresEngine } from '../../src/cow/postgres/engine.ts'
import { type CowListener, listenForClients } from '../../src/cow/postgres/front/listener.ts'
import { type Gate, openGate } from '../../src/cow/postgres/gate/gate.ts'
import type { GateOptions } from '../../src/cow/postgres/gate/options.ts'
import { servantAccount } from '../../src/cow/postgres/overlay/account.ts'
import { answerOverlay } from '../../src/cow/postgres/overlay/rebuild.ts'
import { repointSql } from '../../src/cow/postgres/overlay/foreign-table.ts'
import { connectServer } from '../../src/cow/postgres/server-connection.ts'
import type { ServerOptions } from '../../src/cow/postgres/server-options.ts'

/** The proxy before an overlay pair, as a client of it would find it. */
export interface CowProxy extends OverlayPair {
  readonly url: string
  readonly port: number
  readonly engine: PostgresEngine
}

/** A proxy with the gate before production, where a role that can only read is all that anybody has. */
export interface GatedProxy extends CowProxy {
  readonly gate: Gate
  /** The same overlay behind a second door, where nothing runs on production as it is. */
  readonly overlayUrl: string
  /** The branch behind `url`, once a client has been served. */
  branch(): Promise<Branch>
  /** Statements of `url`'s clients that production ran while something was done. */
  passedBy(work: () => Promise<unknown>): Promise<number>
  /** One more door, which knows nothing but what the overlay's database tells: as after a restart. */
  reopen(): Promise<string>
}

/** Starts production, gate, overlay and proxy, as `mesh cow postgres` does. */
export async function startGatedProxy(
  schema: string,
  data: string,
  gateOptions: Partial<GateOptions> = {},
): Promise<GatedProxy> {
  const pair = await startOverlayPair(schema, data)
  const owner = await pair.upstream.client('mesh_admin', 'shop')
  await owner.query(`CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader; ANALYZE`)
  await owner.end()
  const folder = await mkdtemp(join(tmpdir(), 'mesh-gate-'))
  await chmod(folder, 0o755)
  const account = await servantAccount()
  const gate = await openGate(
    {
      upstream: pair.upstream.options('reader', 'shop'),
      folder,
      auditFile: join(folder, 'audit.ndjson'),
      answer: answerOverlay,
      ...(account === undefined ? {} : { owner: { uid: account.userId, gid: account.groupId } }),
      ...gateOptions,
    },
    new AbortController().signal,
  )
  const admin = await pair.admin()
  const { socketFolder, port } = gate
  await admin.query(repointSql({ socketFolder, port, database: 'shop', user: 'mesh' }))
  await admin.end()
  const all = await openDoor(pair, gate, 'all')
  const overlaid = await openDoor(pair, gate, 'overlay')
  const doors = [all, overlaid]
  const branch = async (): Promise<Branch> => {
    const [first] = await all.engine.branches()
    if (first === undefined) throw new Error('expected a branch')
    return first
  }
  return {
    ...pair,
    gate,
    engine: all.engine,
    port: all.listener.endpoint.port,
    url: urlOf(all),
    overlayUrl: urlOf(overlaid),
    branch,
    passedBy: async (work) => {
      const { counters } = await branch()
      const { passed } = counters
      await work()
      return counters.passed - passed
    },
    reopen: async () => {
      const door = await openDoor(pair, gate, 'all')
      doors.push(door)
      return urlOf(door)
    },
    close: async () => {
      for (const { listener } of doors) await listener.close()
      await gate.close()
      await pair.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

interface Door {
  readonly engine: PostgresEngine
  readonly listener: CowListener
}

function urlOf({ listener }: Door): string {
  return `postgres://app@127.0.0.1:${listener.endpoint.port}/shop`
}

async function openDoor(pair: OverlayPair, gate: Gate, lanes: 'all' | 'overlay'): Promise<Door> {
  const engine = new PostgresEngine({
    overlay: overlayOf(pair),
    gate,
    production: gate,
    lanes,
    limits: DEFAULT_BRANCH_LIMITS,
    databaseOf: (name) => name,
  })
  const listener = await listenForClients({
    listen: { address: '127.0.0.1', port: 0 },
    engine,
    authentication: { method: 'trust', passwordOf: () => undefined },
    maxClients: 100,
  })
  return { engine, listener }
}

function overlayOf(pair: OverlayPair): OverlayServer {
  const { socketFolder, port } = pair.overlay
  const options = (user: string, database: string): ServerOptions => ({
    address: { socketFolder, port },
    user,
    database,
  })
  return { options, connectAdmin: (database, signal) => connectServer(options('mesh_admin', database), signal) }
}

/** Starts production, overlay and proxy; the foreign tables read production without a gate between. */
export async function startCowProxy(
  schema: string,
  data: string,
  limits: Partial<typeof DEFAULT_BRANCH_LIMITS> = {},
): Promise<CowProxy> {
  const pair = await startOverlayPair(schema, data)
  const engine = new PostgresEngine({
    overlay: overlayOf(pair),
    limits: { ...DEFAULT_BRANCH_LIMITS, ...limits },
    databaseOf: (name) => name,
  })
  const listener = await listenForClients({
    listen: { address: '127.0.0.1', port: 0 },
    engine,
    authentication: { method: 'trust', passwordOf: () => undefined },
    maxClients: 100,
  })
  return {
    ...pair,
    engine,
    port: listener.endpoint.port,
    url: `postgres://app@127.0.0.1:${listener.endpoint.port}/shop`,
    close: async () => {
      await listener.close()
      await pair.close()
    },
  }
}
