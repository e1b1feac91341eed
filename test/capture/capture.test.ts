import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { capture, captureExchanges } from '../../src/capture/capture.ts'
import type { Source } from '../../src/capture/source.ts'
import { MeshError } from '../../src/core/errors.ts'
import type { Segment } from '../../src/core/segment.ts'
import { answered, asked, captureBench, hungUp, ms, opened, shown } from '../support/capture-bench.ts'
import { exchange as exampleExchange } from '../support/exchanges.ts'

function exchange(connection: number): Segment[] {
  return [opened(0, connection), asked('0 a:\n', 0, connection), answered('0 ok:\n', 1, connection)]
}

/** A source that yields these batches; a function in place of one runs when it is asked for the next. */
function batches(...steps: (Segment[] | (() => void))[]): Source & { closed: boolean } {
  return {
    closed: false,
    async *segments() {
      try {
        for (const step of steps) {
          if (typeof step === 'function') step()
          else yield step
        }
      } finally {
        this.closed = true
      }
    },
  }
}

const never = new AbortController().signal

describe('capture', () => {
  it('records a source to its end and settles what is open', async () => {
    const { pipeline, writer, ledger } = captureBench()
    await capture(batches(exchange(0), [opened(2, 1), asked('0 b:\n', 3, 1)]), pipeline, writer, never)
    expect(writer.exchanges.map(shown)).toEqual(['0 a:| -> 0 ok:|', '0 b:| -> (end)'])
    expect(ledger.total().connections).toMatchObject({ seen: 2, pending: 0 })
  })

  it('records what a source still has when the signal aborts, and settles the rest', async () => {
    const { pipeline, writer, ledger } = captureBench()
    const stop = new AbortController()
    const source = batches(exchange(0), () => stop.abort(), [...exchange(1), opened(2, 2), asked('0 b', 2, 2)])
    await capture(source, pipeline, writer, stop.signal)
    expect(writer.exchanges).toHaveLength(2)
    expect(ledger.total().bytes.pending).toBe(0)
  })

  it('stops when as many exchanges are recorded as were asked for', async () => {
    const { pipeline, writer } = captureBench({ limit: 1 })
    const source = batches(exchange(0), exchange(1))
    await capture(source, pipeline, writer, never)
    expect(writer.exchanges).toHaveLength(1)
    expect(source.closed).toBe(true)
  })

  it('passes on what the source throws, with everything settled', async () => {
    const { pipeline, writer, ledger } = captureBench()
    const cut = new MeshError('MESH_ERR_FILE_CUT', { what: 'the file ends inside a packet' })
    const source = batches([opened(), asked('0 a:\n')], () => {
      throw cut
    })
    await expect(capture(source, pipeline, writer, never)).rejects.toBe(cut)
    expect(writer.exchanges.map(shown)).toEqual(['0 a:| -> (end)'])
    expect(ledger.total().bytes.pending).toBe(0)
  })

  it('takes an abort that the source throws for the end that it is', async () => {
    const { pipeline, writer } = captureBench()
    const stop = new AbortController()
    const source = batches(exchange(0), () => {
      stop.abort()
      stop.signal.throwIfAborted()
    })
    await capture(source, pipeline, writer, stop.signal)
    expect(writer.exchanges).toHaveLength(1)
  })

  it('lets a file wait for the writer', async () => {
    const { pipeline, writer } = captureBench()
    writer.block()
    const running = capture(batches(exchange(0), exchange(1)), pipeline, writer, never)
    for (let turn = 0; turn < 10; turn++) await nextTurn()
    expect(writer.exchanges).toHaveLength(1)
    writer.unblock()
    await running
    expect(writer.exchanges).toHaveLength(2)
  })

  it('drops and counts exchanges of a live source while the writer is behind, and goes on when it has room', async () => {
    const { pipeline, writer, ledger } = captureBench()
    const source: Source = {
      async *segments() {
        writer.block()
        yield exchange(0)
        yield exchange(1)
        yield exchange(2)
        writer.unblock()
        await nextTurn()
        yield [...exchange(3), ...hungUp(5, 3)]
      },
    }
    await capture(source, pipeline, writer, never, { nowNs: () => ms(5) })
    expect(writer.exchanges.map(({ connection }) => connection)).toEqual([0, 3])
    expect(ledger.total().requests).toMatchObject({ seen: 4, whole: 2, dropped: 2 })
    expect(ledger.total().reasons.get('requests.dropped.writer-behind')).toBe(2)
  })

  it('drops nothing of a live source whose writer keeps up', async () => {
    const { pipeline, writer, ledger } = captureBench()
    const many = Array.from({ length: 50 }, (_, connection) => exchange(connection))
    await capture(batches(...many), pipeline, writer, never, { nowNs: () => ms(5) })
    expect(writer.exchanges).toHaveLength(50)
    expect(ledger.total().requests.dropped).toBe(0)
  })
})

describe('captureExchanges', () => {
  it('records exchanges that another tool put together, with a ledger that balances', async () => {
    const { pipeline, writer, ledger } = captureBench({ limit: 2 })
    const source = {
      originUnixNs: 0n,
      counts: new Map<string, number>(),
      async *exchanges() {
        for (const position of [0, 1, 2]) yield { ...exampleExchange({ position, id: 0 }) }
      },
    }
    await captureExchanges(source, pipeline.intake, writer, never)
    expect(writer.exchanges.map(({ id, position }) => [id, position])).toEqual([
      [0, 0],
      [1, 1],
    ])
    const { requests, responses, bytes } = ledger.total()
    expect(requests).toMatchObject({ seen: 2, whole: 2, pending: 0 })
    expect(responses).toMatchObject({ seen: 2, whole: 2, pending: 0 })
    expect(bytes.seen).toBe(bytes.whole)
  })
})
