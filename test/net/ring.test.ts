import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allocateRing, RECORD_HEADER_BYTES, RingConsumer, RingProducer } from '../../src/net/ring.ts'

/** Both ends of a new ring. */
function ends(capacityBytes: number): { producer: RingProducer; consumer: RingConsumer } {
  const shared = allocateRing(capacityBytes)
  return { producer: new RingProducer(shared), consumer: new RingConsumer(shared) }
}

/** Appends a record of `length` bytes of value `tag & 255`; false where it does not fit. */
function append(producer: RingProducer, length: number, tag: number): boolean {
  const at = producer.reserve(length, tag)
  if (at < 0) return false
  producer.memory.bytes.fill(tag & 0xff, at, at + length)
  producer.commit()
  return true
}

describe('allocateRing', () => {
  it('rounds up to a power of two', () => {
    expect(new RingProducer(allocateRing(5_000)).capacityBytes).toBe(8192)
    expect(new RingProducer(allocateRing(1)).capacityBytes).toBe(4096)
  })
})

describe('a ring', () => {
  it('gives every record that fitted, whole and in order, however reads and writes interleave', () => {
    const step = fc.oneof(
      fc.record({ write: fc.integer({ min: 0, max: 1_500 }) }),
      fc.record({ read: fc.integer({ min: 0, max: 6 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 300 }), (steps) => {
        const { producer, consumer } = ends(4096)
        const written: { length: number; tag: number }[] = []
        let tag = 0
        const readOne = (): boolean => {
          const at = consumer.next()
          if (at < 0) return false
          const record = written.shift()
          expect(consumer.tagAt(at)).toBe(record?.tag)
          expect(at % 8).toBe(0)
          expect(consumer.lengthAt(at)).toBe(Math.ceil((record?.length ?? 0) / 8) * 8)
          const bytes = consumer.memory.bytes.subarray(at, at + (record?.length ?? 0))
          expect(bytes.every((byte) => byte === ((record?.tag ?? 0) & 0xff))).toBe(true)
          return true
        }
        for (const step of steps) {
          if ('write' in step) {
            tag++
            if (append(producer, step.write, tag)) written.push({ length: step.write, tag })
            continue
          }
          for (let count = 0; count < step.read; count++) readOne()
          consumer.release()
        }
        producer.end()
        while (readOne());
        consumer.release()
        expect(written).toEqual([])
        expect(consumer.finished).toBe(true)
        expect(producer.heldBytes).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  it('has no room beyond its capacity and has it again once records are released, not when they are read', () => {
    const { producer, consumer } = ends(4096)
    let fitted = 0
    while (append(producer, 512 - RECORD_HEADER_BYTES, fitted)) fitted++
    expect(fitted).toBe(8)
    expect(producer.heldBytes).toBe(4096)
    expect(consumer.next()).toBeGreaterThan(0)
    expect(append(producer, 8, 99)).toBe(false)
    consumer.release()
    expect(append(producer, 8, 99)).toBe(true)
  })

  it('never takes a record that is larger than itself', () => {
    const { producer, consumer } = ends(4096)
    expect(append(producer, 4096, 1)).toBe(false)
    expect(append(producer, 4096 - RECORD_HEADER_BYTES, 2)).toBe(true)
    expect(consumer.tagAt(consumer.next())).toBe(2)
  })

  it('counts its bytes across 2^32', () => {
    const { producer, consumer } = ends(4096)
    // Both positions are 16 bytes below the wrap: as after 4 GiB of traffic.
    const shared = allocateRing(4096)
    const control = new Int32Array(shared, 0, 48)
    control[0] = -16
    control[16] = -16
    const late = { producer: new RingProducer(shared), consumer: new RingConsumer(shared) }
    for (const { producer: writer, consumer: reader } of [{ producer, consumer }, late]) {
      for (let round = 0; round < 10; round++) {
        expect(append(writer, 100, round)).toBe(true)
        expect(reader.tagAt(reader.next())).toBe(round)
        reader.release()
        expect(writer.heldBytes).toBe(0)
      }
    }
  })

  it('is finished only when the producer has ended it and all of it was read', () => {
    const { producer, consumer } = ends(4096)
    expect(consumer.finished).toBe(false)
    append(producer, 8, 1)
    producer.end()
    expect(consumer.finished).toBe(false)
    consumer.next()
    expect(consumer.finished).toBe(true)
  })
})
