import { describe, expect, it } from 'vitest'
import { BACKEND } from '../../../../src/wire/postgres/backend.ts'
import { type ReplyKind, ReplyQueue } from '../../../../src/cow/postgres/session/reply-queue.ts'

function queueOf(...kinds: readonly ReplyKind[]): ReplyQueue {
  const queue = new ReplyQueue()
  for (const kind of kinds) queue.expect({ kind })
  return queue
}

function take(queue: ReplyQueue, ...types: readonly (keyof typeof BACKEND)[]): void {
  for (const type of types) queue.take(BACKEND[type])
}

describe('ReplyQueue', () => {
  it('ends each reply of a pipeline at the message that ends it', () => {
    const queue = queueOf('parse', 'describe', 'bind', 'execute', 'sync')
    take(queue, 'parseComplete')
    expect(queue.current?.kind).toBe('describe')
    take(queue, 'parameterDescription')
    expect(queue.current?.kind).toBe('describe')
    take(queue, 'rowDescription', 'bindComplete')
    expect(queue.current?.kind).toBe('execute')
    take(queue, 'dataRow', 'dataRow', 'commandComplete')
    expect(queue.current?.kind).toBe('sync')
    take(queue, 'readyForQuery')
    expect(queue.settled).toBe(true)
  })

  it('skips to the next Sync after an error, and counts nothing until it comes', () => {
    const queue = queueOf('parse', 'bind', 'execute', 'sync', 'parse', 'sync')
    take(queue, 'parseComplete', 'errorResponse')
    expect(queue.failed).toBe(true)
    expect(queue.current?.kind).toBe('sync')
    take(queue, 'readyForQuery')
    expect(queue.failed).toBe(false)
    take(queue, 'parseComplete', 'readyForQuery')
    expect(queue.settled).toBe(true)
  })

  it('is failed with nothing to come where no Sync was sent yet', () => {
    const queue = queueOf('parse', 'bind')
    take(queue, 'errorResponse')
    expect([queue.failed, queue.settled]).toEqual([true, true])
    queue.expect({ kind: 'sync' })
    take(queue, 'readyForQuery')
    expect(queue.failed).toBe(false)
  })

  it('keeps a simple query open over its errors until it is ready again', () => {
    const queue = queueOf('query')
    take(queue, 'rowDescription', 'dataRow', 'commandComplete', 'errorResponse')
    expect([queue.failed, queue.settled]).toEqual([false, false])
    take(queue, 'readyForQuery')
    expect(queue.settled).toBe(true)
  })

  it('forgets a Sync that was sent behind a COPY FROM STDIN, because the backend ignores it while it takes data', () => {
    const queue = queueOf('parse', 'bind', 'execute', 'sync')
    take(queue, 'parseComplete', 'bindComplete', 'copyInResponse')
    expect(queue.copying).toBe(true)
    queue.expect({ kind: 'sync' })
    take(queue, 'commandComplete', 'readyForQuery')
    expect([queue.copying, queue.settled]).toEqual([false, true])
  })

  it('tells those who wait when the last reply has come', async () => {
    const queue = queueOf('close')
    const settled = queue.whenSettled()
    take(queue, 'closeComplete')
    await settled
    expect(queue.settled).toBe(true)
  })

  it('lets nobody wait for a backend that is gone', async () => {
    const queue = queueOf('query')
    const settled = queue.whenSettled()
    queue.abandon()
    await settled
    expect(queue.settled).toBe(true)
  })
})
