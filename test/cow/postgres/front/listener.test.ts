import { expect, it } from 'vitest'
import type { CowEngine } from '../../../../src/cow/engine.ts'
import { listenForClients } from '../../../../src/cow/postgres/front/listener.ts'
import { connectTo } from '../../../support/pg-clients.ts'

it('tells a client beyond the limit which limit it is, and how to raise it', async () => {
  const engine: CowEngine = {
    protocol: 'postgres',
    open: () => Promise.reject(new Error('no session is opened beyond the limit')),
    cancel: () => undefined,
  }
  const listener = await listenForClients({
    listen: { address: '127.0.0.1', port: 0 },
    engine,
    authentication: { method: 'trust', passwordOf: () => undefined },
    maxClients: 0,
  })
  const refused = connectTo(`postgres://app@127.0.0.1:${listener.endpoint.port}/shop`)
  await expect(refused).rejects.toMatchObject({
    code: '53300',
    hint: expect.stringMatching(/takes 0 clients.*--max-clients/) as string,
  })
  await listener.close()
})
