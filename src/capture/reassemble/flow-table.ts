import type { Flow } from './flow.ts'
import type { IpAddress } from './ip-address.ts'
import type { TcpPacket } from './tcp-packet.ts'

/** Flows by time of their last packet. A list threaded through the flows: a packet moves its flow in constant time. */
class ActivityList {
  oldest: Flow | undefined
  count = 0
  #newest: Flow | undefined

  add(flow: Flow): void {
    flow.older = this.#newest
    flow.newer = undefined
    if (this.#newest === undefined) this.oldest = flow
    else this.#newest.newer = flow
    this.#newest = flow
    this.count++
  }

  remove(flow: Flow): void {
    if (flow.older === undefined) this.oldest = flow.newer
    else flow.older.newer = flow.newer
    if (flow.newer === undefined) this.#newest = flow.older
    else flow.newer.older = flow.older
    flow.older = undefined
    flow.newer = undefined
    this.count--
  }

  touch(flow: Flow): void {
    if (this.#newest === flow) return
    this.remove(flow)
    this.add(flow)
  }
}

/**
 * The flows that are followed, found by a hash of both ends that is the same for both directions, and no text. The hash is
 * seeded, so that nobody can write a capture whose flows all collide.
 */
export class FlowTable {
  /** Flows that go on, and those that are over and remembered. */
  readonly open: ActivityList = new ActivityList()
  readonly over: ActivityList = new ActivityList()
  readonly #buckets = new Map<number, Flow>()
  readonly #seed: number = Math.floor(Math.random() * 0x1_0000_0000) | 0
  #last: Flow | undefined

  hash(tcp: TcpPacket): number {
    const sum = this.#endHash(tcp.source, tcp.sourcePort) + this.#endHash(tcp.destination, tcp.destinationPort)
    const mixed = Math.imul(sum ^ (sum >>> 15), 0x2c1b3c6d)
    return mixed ^ (mixed >>> 13)
  }

  /** The flow of a packet, of either direction. */
  find(tcp: TcpPacket, hash: number): Flow | undefined {
    const last = this.#last
    if (last !== undefined && last.hash === hash && isOf(last, tcp)) return last
    let flow = this.#buckets.get(hash)
    while (flow !== undefined && !isOf(flow, tcp)) flow = flow.bucketNext
    if (flow !== undefined) this.#last = flow
    return flow
  }

  add(flow: Flow): void {
    flow.bucketNext = this.#buckets.get(flow.hash)
    this.#buckets.set(flow.hash, flow)
    this.open.add(flow)
    this.#last = flow
  }

  touch(flow: Flow): void {
    if (flow.over) this.over.touch(flow)
    else this.open.touch(flow)
  }

  /** The flow is over: remembered apart from those that go on. */
  end(flow: Flow): void {
    if (flow.over) return
    this.open.remove(flow)
    flow.over = true
    this.over.add(flow)
  }

  remove(flow: Flow): void {
    if (flow.over) this.over.remove(flow)
    else this.open.remove(flow)
    if (this.#last === flow) this.#last = undefined
    const first = this.#buckets.get(flow.hash)
    if (first === flow) {
      if (flow.bucketNext === undefined) this.#buckets.delete(flow.hash)
      else this.#buckets.set(flow.hash, flow.bucketNext)
      return
    }
    let before = first
    while (before !== undefined && before.bucketNext !== flow) before = before.bucketNext
    if (before !== undefined) before.bucketNext = flow.bucketNext
  }

  #endHash(address: IpAddress, port: number): number {
    let hash = address.d ^ this.#seed
    if (address.family === 6) {
      hash = Math.imul(hash ^ address.c, 0x297a2d39)
      hash = Math.imul(hash ^ (hash >>> 16) ^ address.b, 0x1b56c4e9)
      hash = Math.imul(hash ^ (hash >>> 16) ^ address.a, 0x297a2d39)
    }
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
    hash = Math.imul(hash ^ (hash >>> 16) ^ port, 0x297a2d39)
    return hash ^ (hash >>> 15)
  }
}

function isOf(flow: Flow, tcp: TcpPacket): boolean {
  return flow.isFromClient(tcp) || flow.isFromServer(tcp)
}
