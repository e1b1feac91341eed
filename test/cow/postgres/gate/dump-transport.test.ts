import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DumpTransport } from '../../../../src/cow/postgres/gate/dump-transport.ts'
import { readErrorFields } from '../../../../src/wire/postgres/error-fields.ts'
import { MessageFramer } from '../../../../src/wire/postgres/framer.ts'
import { query } from '../../../../src/wire/postgres/frontend.ts'
import { POSTGRES_ABSENT } from '../../../support/postgres.ts'
import { fingerprint, type Production, startGate, startProduction, type TestGate } from './gate-setup.ts'

/** What pg_dump 18 sends, in its order. */
const DUMP: readonly string[] = [
  "SELECT pg_catalog.set_config('search_path', '', false);",
  'SET DATESTYLE = ISO',
  'SET extra_float_digits TO 3',
  'SET statement_timeout = 0',
  'SET row_security = off',
  'BEGIN',
  'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY',
  'SELECT oid, rolname FROM pg_catalog.pg_roles ORDER BY 1',
  'LOCK TABLE public.customer, public.orders IN ACCESS SHARE MODE',
  'PREPARE dumpFunc(pg_catalog.oid) AS SELECT proretset, pg_catalog.pg_get_functiondef(p.oid) FROM pg_catalog.pg_proc p WHERE p.oid = $1',
  "EXECUTE dumpFunc('16384')",
  'SELECT a.attname, pg_catalog.format_type(t.oid, a.atttypmod) FROM unnest($a${1259}$a$::pg_catalog.oid[]) AS src(tbloid) JOIN pg_catalog.pg_attribute a ON src.tbloid = a.attrelid JOIN pg_catalog.pg_type t ON a.atttypid = t.oid',
  'COMMIT',
]

const REFUSED: readonly string[] = [
  'DELETE FROM public.customer',
  'SET TRANSACTION READ WRITE',
  'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
  'SET default_transaction_read_only = off',
  'SET ROLE postgres',
  'RESET ALL',
  'LOCK TABLE public.customer',
  'LOCK TABLE public.customer IN SHARE MODE',
  'BEGIN; DELETE FROM public.customer',
  'PREPARE x AS DELETE FROM public.customer',
  "SELECT pg_catalog.set_config('default_transaction_read_only', 'off', false)",
  'SELECT public.sneak()',
  "SELECT nextval('public.ticket')",
  'SELECT pg_export_snapshot()',
  'COPY public.customer TO STDOUT',
  "PREPARE TRANSACTION 'x'",
  'SELECT 1 INTO public.made',
]

describe.skipIf(POSTGRES_ABSENT)('pg_dump through the gate', () => {
  let production: Production
  let gate: TestGate
  let transport: DumpTransport

  beforeAll(async () => {
    production = await startProduction()
    gate = await startGate(production.server)
    transport = await gate.gate.transportForDump()
  })

  afterAll(async () => {
    transport.close()
    await gate.close()
    await production.close()
  })

  /** The types of the messages in an answer, runs of the same one as one, and the SQLSTATE of an error. */
  const shapeOf = (bytes: Uint8Array): string => {
    const framer = new MessageFramer()
    framer.push(bytes)
    let shape = ''
    for (let message = framer.next(); message !== undefined; message = framer.next()) {
      const type = String.fromCharCode(message.type)
      if (message.piece === undefined && type === 'E') shape += readErrorFields(message.payload).code
      else if (!shape.endsWith(type)) shape += type
    }
    return shape
  }

  it('tells what a login would be answered, and takes a message in parts', async () => {
    expect(transport.parameters.get('server_version')).toMatch(/^18/)
    const bytes = query('SELECT 1')
    expect(await transport.exchange(bytes.subarray(0, 3))).toHaveLength(0)
    expect(shapeOf(await transport.exchange(bytes.subarray(3)))).toBe('TDCZ')
  })

  it('runs what a dump reads, and records it', async () => {
    for (const text of DUMP)
      expect([text, shapeOf(await transport.exchange(query(text)))]).toEqual([
        text,
        expect.stringMatching(/^T?D?C.*Z$|^SCZ$|^CSZ$/),
      ])
    await expect.poll(() => gate.audit().filter(({ lane }) => lane === 'dump').length).toBe(DUMP.length + 1)
    const begun = gate.audit().map(({ statement }) => statement)
    expect(begun).toContain('START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY')
  })

  it.each(REFUSED)('refuses %s', async (text) => {
    const before = await fingerprint(production.admin)
    expect(shapeOf(await transport.exchange(query(text)))).toBe('42501Z')
    expect(await fingerprint(production.admin)).toBe(before)
  })
})
