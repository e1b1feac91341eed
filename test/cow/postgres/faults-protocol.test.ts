import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/core/random.ts'
import { socketPath } from '../../../src/cow/postgres/server-options.ts'
import {
  type GatedProxy,
  type ProductionServer,
  startGatedProxy,
  startProductionServer,
} from '../../support/gated-proxy.ts'
import { fixedSeed } from '../../support/seed.ts'
import { WireClient } from '../../support/wire-client.ts'
import { compiled } from '../../replay/compiled.ts'
import { BATCH_END, randomBatch, TORTURE_DATA, TORTURE_SCHEMA } from './random-messages.ts'

const SEED = fixedSeed(47)
const CONVERSATIONS = Number(process.env['MESH_CONVERSATIONS'] ?? 25)
const BATCHES = 20

const thread = compiled('cow/postgres/overlay/pg-dump-thread.ts')

let production: ProductionServer
let proxy: GatedProxy

beforeAll(async () => {
  production = await startProductionServer(TORTURE_SCHEMA, TORTURE_DATA)
  proxy = await startGatedProxy(production, { thread: thread() })
})
afterAll(async () => {
  await proxy?.close()
  await production?.remove()
})

const plainAddress = (): { path: string } => {
  const { socketFolder, port } = production.server
  return { path: socketPath(socketFolder, port) }
}

describe(`random messages to the proxy and to a plain PostgreSQL (MESH_TEST_SEED=${SEED})`, () => {
  it('are answered by the same messages, rows and SQLSTATEs', async () => {
    const random = seededRandom(SEED)
    for (let conversation = 0; conversation < CONVERSATIONS; conversation++) {
      const own = await WireClient.open({ port: proxy.port })
      const plain = await WireClient.open(plainAddress(), { user: 'app', database: 'plain' })
      const history: string[] = []
      for (let batch = 0; batch < BATCHES; batch++) {
        const messages = randomBatch(random)
        history.push(messages.map(({ shown }) => shown).join(' | '))
        const bytes = [...messages.map((message) => message.bytes), ...BATCH_END]
        const [mine, theirs] = await Promise.all([own.batchOrHung(bytes), plain.batch(bytes)])
        expect(mine, `conversation ${conversation}, batch ${batch}:\n${history.join('\n')}\n`).toBe(theirs)
      }
      own.end()
      plain.end()
    }
  })
})
