import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { POSTGRES_ABSENT } from '../../../support/postgres.ts'
import { passed, type Production, RowTaker, startGate, startProduction, type TestGate } from './gate-setup.ts'

const COUNT = 'SELECT count(*) FROM public.customer'

describe.skipIf(POSTGRES_ABSENT)('a production whose answers are garbled on their way', () => {
  let production: Production
  let relay: Server
  let gate: TestGate
  let change: (bytes: Buffer) => Buffer = (bytes) => bytes
  const sockets = new Set<Socket>()

  beforeAll(async () => {
    production = await startProduction()
    relay = createServer((client) => {
      const server = connect(production.server.port, '127.0.0.1')
      for (const socket of [client, server]) {
        sockets.add(socket)
        socket.on('error', () => socket.destroy())
      }
      client.on('close', () => server.destroy())
      server.on('close', () => client.destroy())
      client.pipe(server)
      server.on('data', (bytes: Buffer) => client.write(change(bytes)))
    })
    relay.listen(0, '127.0.0.1')
    await once(relay, 'listening')
    const address = relay.address()
    if (address === null || typeof address === 'string') throw new Error('expected a port')
    gate = await startGate({ ...production.server, port: address.port })
  })
  afterEach(() => {
    change = (bytes) => bytes
  })
  afterAll(async () => {
    await gate?.close()
    for (const socket of sockets) socket.destroy()
    relay?.close()
    await production?.close()
  })

  /** `from` stands for `to`, of the same length, in each answer. */
  const swap = (from: string, to: string): void => {
    change = (bytes) => Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1')
  }

  const pass = (): Promise<unknown> => gate.gate.pass(passed(COUNT), new RowTaker())

  it.each([
    ['counts another number of rows than came', () => swap('SELECT 1\0', 'SELECT 2\0')],
    ['names another command', () => swap('SELECT 1\0', 'COMMIT\0\0\0')],
  ])('is not believed where an answer %s', async (_, garble) => {
    expect(await pass()).toMatchObject({ kind: 'complete', rows: 1 })
    garble()
    expect(await pass()).toMatchObject({ kind: 'failed', error: { code: expect.stringMatching(/^08/) as string } })
    change = (bytes) => bytes
    expect(await pass()).toMatchObject({ kind: 'complete', rows: 1 })
  })
})
