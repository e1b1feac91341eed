import { mkdtempSync, readFileSync, rmSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGate, type Gate } from '../../../../src/cow/postgres/gate/gate.ts'
import type { GateOptions } from '../../../../src/cow/postgres/gate/options.ts'
import type { PassedStatement } from '../../../../src/cow/postgres/gate/passed.ts'
import type { RowSink } from '../../../../src/cow/postgres/gate/upstream-statement.ts'
import { readRowDescription, readTextRow } from '../../../../src/wire/postgres/backend.ts'
import { MessageFramer } from '../../../../src/wire/postgres/framer.ts'
import { MessageBuilder } from '../../../../src/wire/postgres/message-builder.ts'
import { connectServer, type ServerConnection } from '../../../../src/cow/postgres/server-connection.ts'
import { startPostgres, type TestPostgres } from '../../../support/postgres.ts'

/** The role that the manual recommends: it reads and nothing else. */
export const READER = 'reader'
export const READER_PASSWORD = 'only-reads'

const PRODUCTION = `
  CREATE TYPE status AS ENUM ('new', 'paid');
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL);
  CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customer, total numeric(10,2), st status, made timestamptz);
  CREATE TABLE wide (id int PRIMARY KEY, filler text);
  CREATE SEQUENCE ticket;
  INSERT INTO customer SELECT g, 'customer ' || g FROM generate_series(1, 500) g;
  INSERT INTO orders SELECT g, 1 + g % 500, g * 1.5, (ARRAY['new', 'paid'])[1 + g % 2]::status, '2026-01-01'::timestamptz + g * interval '1 minute'
    FROM generate_series(1, 5000) g;
  INSERT INTO wide SELECT g, repeat('x', 2000) FROM generate_series(1, 20000) g;
  CREATE TABLE witness (n int);
  CREATE FUNCTION sneak() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.witness VALUES (1); RETURN 1; END $$;
  CREATE VIEW sneaky AS SELECT public.sneak() AS n;
  ANALYZE;
  CREATE ROLE ${READER} LOGIN PASSWORD '${READER_PASSWORD}';
  GRANT USAGE ON SCHEMA public TO ${READER};
  GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${READER};`

const FOREIGN_TABLES = `
  IMPORT FOREIGN SCHEMA public LIMIT TO (customer, wide, witness, sneaky) FROM SERVER production INTO base;
  CREATE TYPE status AS ENUM ('new', 'paid');
  CREATE FOREIGN TABLE base.orders (id int, customer_id int, total numeric(10,2), st status, made timestamptz)
    SERVER production OPTIONS (schema_name 'public', table_name 'orders');`

/** A production server with data, and how to reach it as its superuser. */
export interface Production {
  readonly server: TestPostgres
  readonly admin: ServerConnection
  close(): Promise<void>
}

export async function startProduction(): Promise<Production> {
  const server = await startPostgres({ authentication: 'scram-sha-256', settings: { autovacuum: 'off' } })
  const admin = await connectAdmin(server)
  await admin.query(PRODUCTION)
  return {
    server,
    admin,
    async close() {
      await admin.end()
      await server.stop()
    },
  }
}

export function connectAdmin(server: TestPostgres): Promise<ServerConnection> {
  const { port, superuser, password } = server
  return connectServer(
    { address: { host: '127.0.0.1', port }, user: superuser, database: 'postgres', password },
    AbortSignal.timeout(20_000),
  )
}

/** An overlay server whose postgres_fdw points at a gate, as O's merge sets it up. */
export interface Overlay {
  readonly server: TestPostgres
  connect(): Promise<ServerConnection>
  /** Points postgres_fdw at a gate; sessions connect anew. */
  pointTo(gate: Gate): Promise<void>
  close(): Promise<void>
}

export async function startOverlay(gate: Gate): Promise<Overlay> {
  const server = await startPostgres({ settings: { max_connections: '120' } })
  const connect = (): Promise<ServerConnection> => connectAdmin(server)
  const admin = await connect()
  await admin.query(`CREATE EXTENSION postgres_fdw; CREATE SCHEMA base;
    CREATE SERVER production FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '${gate.socketFolder}', port '${gate.port}',
      dbname 'any', use_remote_estimate 'true', fetch_size '1000', application_name 'mesh %p');
    CREATE USER MAPPING FOR PUBLIC SERVER production OPTIONS (user 'any', password_required 'false');`)
  await admin.query(FOREIGN_TABLES)
  return {
    server,
    connect,
    async pointTo(next) {
      await admin.query(`ALTER SERVER production OPTIONS (SET host '${next.socketFolder}', SET port '${next.port}')`)
    },
    async close() {
      await admin.end()
      await server.stop()
    },
  }
}

/** A gate with an audit log in a folder of its own, owned by whom the servers run as. */
export interface TestGate {
  readonly gate: Gate
  readonly auditFile: string
  /** What was recorded so far, after the queue was written. */
  audit(): readonly Record<string, unknown>[]
  close(): Promise<void>
}

/** What takes no time at all is short on a machine that is starved as well, and has a connection in the end. */
const PATIENCE = { shortMs: 10_000, maxShortMs: 60_000, waitTimeoutMs: 60_000 }

export async function startGate(production: TestPostgres, options: Partial<GateOptions> = {}): Promise<TestGate> {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-gate-'))
  chmodSync(folder, 0o755)
  const auditFile = join(folder, 'audit.ndjson')
  const gate = await openGate(
    {
      upstream: {
        address: { host: '127.0.0.1', port: production.port },
        user: READER,
        database: 'postgres',
        password: READER_PASSWORD,
      },
      folder,
      auditFile,
      ...PATIENCE,
      ...serverOwner(),
      ...options,
    },
    new AbortController().signal,
  ).catch((thrown: unknown) => {
    rmSync(folder, { recursive: true, force: true })
    throw thrown
  })
  return {
    gate,
    auditFile,
    audit: () => readAudit(auditFile),
    async close() {
      await gate.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function readAudit(path: string): readonly Record<string, unknown>[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>)
}

function serverOwner(): { readonly owner?: { readonly uid: number; readonly gid: number } } {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith(`${name}:`))
    const [, , uid, gid] = line?.split(':') ?? []
    if (uid !== undefined && gid !== undefined) return { owner: { uid: Number(uid), gid: Number(gid) } }
  }
  return {}
}

/** The rows of the last statement of a text. */
export async function rowsOf(
  connection: ServerConnection,
  text: string,
): Promise<readonly (readonly (string | null)[])[]> {
  return (await connection.query(text)).at(-1)?.rows ?? []
}

/** Of production: what a write, a lock or a transaction id would change. */
export async function fingerprint(admin: ServerConnection): Promise<string> {
  // The session's own counts, of the setup, are told when a statement has ended.
  await admin.query('SELECT pg_stat_force_next_flush()')
  const rows = await rowsOf(
    admin,
    `SELECT (SELECT string_agg(relname || n_tup_ins || ',' || n_tup_upd || ',' || n_tup_del, ' ' ORDER BY relname) FROM pg_stat_user_tables),
       (SELECT count(*) FROM witness), (SELECT last_value FROM ticket), (SELECT is_called FROM ticket),
       (SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid() AND (locktype = 'advisory' OR mode NOT IN ('AccessShareLock', 'ExclusiveLock'))),
       (SELECT count(*) FROM pg_class), pg_snapshot_xmax(pg_current_snapshot())`,
  )
  return JSON.stringify(rows)
}

/** Takes rows of a passed statement as text, in order. */
export class RowTaker implements RowSink {
  readonly rowsTaken: (string | null)[][] = []
  fields: readonly string[] = []
  readonly #framer = new MessageFramer()

  description(bytes: Uint8Array): void {
    this.fields = readRowDescription(bytes.subarray(5)).map(({ name }) => name)
  }

  rows(bytes: Uint8Array): boolean {
    this.#framer.push(Uint8Array.from(bytes))
    for (let row = this.#framer.next(); row !== undefined; row = this.#framer.next()) {
      if (row.piece === undefined) this.rowsTaken.push(readTextRow(row.payload))
    }
    return true
  }

  whenReady(): Promise<void> {
    return Promise.resolve()
  }
}

/** A client's statement with parameters in text form, as the session hands it over. */
export function passed(
  text: string,
  values: readonly (string | null)[] = [],
  more: Partial<PassedStatement> = {},
): PassedStatement {
  const tail = new MessageBuilder().int16(0).count(values.length)
  for (const value of values) tail.value(value)
  const bindTail = tail.int16(0).finish()
  return { lane: 'T0', text, parameterTypes: [], bindTail, describe: true, settings: new Map(), ...more }
}
