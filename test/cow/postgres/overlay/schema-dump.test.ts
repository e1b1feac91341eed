import { describe, expect, it } from 'vitest'
import { dumpSchema } from '../../../../src/cow/postgres/overlay/schema-dump.ts'

/** A thread that runs this text, told as the one that dumps is. */
function threadOf(text: string): URL {
  return new URL(
    `data:text/javascript,${encodeURIComponent(`import { workerData } from 'node:worker_threads'; ${text}`)}`,
  )
}

function dumpBy(thread: URL): Promise<string> {
  const transport = {
    parameters: new Map([['server_version', '18.0']]),
    exchange: () => Promise.reject(new Error('unasked')),
  }
  return dumpSchema({ transport, database: 'shop', excluded: [], thread }, new AbortController().signal)
}

describe('a dump of the schema', () => {
  it('is taken from a thread that ends right behind it, while we are busy', async () => {
    const thread = threadOf(`workerData.port.postMessage({ kind: 'done', text: 'x'.repeat(1e6) }); process.exit(0)`)
    for (let time = 0; time < 10; time++) {
      const dump = dumpBy(thread)
      const busyUntil = performance.now() + 100
      await new Promise((resolve) => setImmediate(resolve))
      while (performance.now() < busyUntil);
      expect((await dump).length).toBe(1e6)
    }
  })

  it('is an error where the thread ends without a word, or with a reason', async () => {
    await expect(dumpBy(threadOf('process.exit(1)'))).rejects.toMatchObject({
      code: 'MESH_ERR_UNREACHABLE',
      message: expect.stringContaining('ended early'),
    })
    const failing = threadOf(
      `workerData.port.postMessage({ kind: 'failed', reason: 'permission denied' }); process.exit(1)`,
    )
    await expect(dumpBy(failing)).rejects.toThrow('the schema could not be read: permission denied')
  })

  it('says what pg_dump said, and nothing of how it is run', async () => {
    const reason =
      'pg_dump failed with exit code 1. Error message: invalid binary "/x/pg-dump-thread.js": No such file or directorypg-dump-thread.js: error: query failed: ERROR:  permission denied for table apg-dump-thread.js: detail: Query was: LOCK TABLE a'
    const failing = threadOf(
      `workerData.port.postMessage({ kind: 'failed', reason: ${JSON.stringify(reason)} }); process.exit(1)`,
    )
    await expect(dumpBy(failing)).rejects.toThrow(
      /^the schema could not be read: query failed: ERROR: {2}permission denied for table a Query was: LOCK TABLE a \(shop\)/,
    )
  })
})
