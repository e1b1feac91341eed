import { hasPlan, PlanReader, readPlan } from '../correlate/plan-words.ts'
import { CaptureBudget, ReplyCapture } from '../correlate/reply-capture.ts'
import type { ShotPlan } from '../correlate/shot-plan.ts'
import { substitute } from '../correlate/substitute.ts'
import type { ValueJar } from '../correlate/value-jar.ts'
import { ValueJars } from '../correlate/value-jar.ts'
import type { ShotBatch } from '../shot-batch.ts'
import type { AwaitedReply } from './awaited-reply.ts'
import { Chain } from './chain.ts'
import type { Flights } from './flights.ts'
import type { ParkedShot } from './parked-shot.ts'
import { OneShotBatch } from './parked-shot.ts'
import type { SenderCounters } from './sender.ts'
import type { ShotOrder } from './shot-order.ts'
import type { WaitingShot } from './waiting-shot.ts'

/**
 * Stands before the order of shots, and lets a shot pass when the replies are there that it needs values of, with these values in
 * it. What has to wait is parked here, without a connection, so that it can keep none from the reply that it waits for; where the
 * order on connections is kept, what is behind it on its connection is parked too.
 *
 *     send -> (its replies are there) substitute -> ShotOrder.place
 *          -> (not yet) park ... settle -> substitute -> ShotOrder.place
 */
export class ReplyGate {
  readonly #flights: Flights
  readonly #order: ShotOrder
  readonly #counters: SenderCounters
  readonly #keepsOrder: boolean
  readonly #jars = new ValueJars()
  readonly #budget = new CaptureBudget()
  readonly #one = new OneShotBatch()
  readonly #plans = new PlanReader()
  /** Parked shots by connection; with `--order none` each is alone. */
  readonly #lanes = new Map<number, Chain<ParkedShot>>()
  readonly #alone = new Set<ParkedShot>()
  /** Replies that ended while shots were being placed. */
  readonly #ended: { readonly reply: AwaitedReply; readonly whole: boolean }[] = []
  #settling = false

  constructor(flights: Flights, order: ShotOrder, counters: SenderCounters, keepsOrder: boolean) {
    this.#flights = flights
    this.#order = order
    this.#counters = counters
    this.#keepsOrder = keepsOrder
  }

  /** Nothing has ever been correlated: shots need not pass here. */
  get isIdle(): boolean {
    return this.#jars.isEmpty
  }

  /** Takes a shot that was admitted. */
  send(batch: ShotBatch, index: number, nowNs: number): void {
    const session = batch.session[index] ?? 0
    const plan = batch.plans === undefined ? undefined : this.#plans.read(batch.plans, index)
    const jar = plan === undefined ? this.#jars.find(session) : this.#jars.of(session)
    if (jar?.dropped === true) {
      this.#counters.shed++
      this.#flights.endUnsent(batch, index, 'shed')
      return
    }
    // Looked for before its own ticket is known: a shot that needed itself would never leave.
    const ticket = plan === undefined ? undefined : jar?.awaited(plan.waits)
    if (plan !== undefined && jar !== undefined && plan.ticket > 0) jar.expect(plan.ticket)
    const connection = batch.connection[index] ?? 0
    if (ticket === undefined && !this.#lanes.has(connection)) this.#pass(batch, index, plan, jar, nowNs)
    else this.#park(batch, index, jar, ticket)
    this.settle(nowNs)
  }

  /** A shot was shed: what its session sends later was never meant to be sent without it. */
  shed(batch: ShotBatch, index: number): void {
    const session = batch.session[index] ?? 0
    const isPlanned = batch.plans !== undefined && hasPlan(batch.plans, index)
    const jar = isPlanned ? this.#jars.of(session) : this.#jars.find(session)
    if (jar !== undefined) jar.dropped = true
  }

  /** A shot whose reply is awaited has ended; `settle` follows, when no shot is being placed. */
  ended(reply: AwaitedReply, whole: boolean): void {
    this.#ended.push({ reply, whole })
  }

  /** Takes out all parked shots, and hands each over to be ended. */
  clearParked(end: (shot: WaitingShot) => void): void {
    for (const lane of this.#lanes.values()) {
      for (let shot = lane.shift(); shot !== undefined; shot = lane.shift()) end(shot.held)
    }
    this.#lanes.clear()
    for (const { held } of this.#alone) end(held)
    this.#alone.clear()
  }

  #park(batch: ShotBatch, index: number, jar: ValueJar | undefined, ticket: number | undefined): void {
    const connection = batch.connection[index] ?? 0
    const shot: ParkedShot = {
      held: this.#flights.hold(batch, index),
      connection,
      session: batch.session[index] ?? 0,
      plan: batch.plans && readPlan(batch.plans, index),
      jar,
      next: undefined,
    }
    if (ticket !== undefined) this.#counters.correlationWaited++
    if (!this.#keepsOrder) this.#alone.add(shot)
    else {
      const lane = this.#lanes.get(connection) ?? new Chain<ParkedShot>()
      this.#lanes.set(connection, lane)
      lane.push(shot)
      if (lane.first !== shot) return
    }
    if (ticket !== undefined) jar?.wait(ticket, (atNs) => this.#retry(shot, atNs))
  }

  /** Reads what ended and lets go who waited for it, until nothing more comes of that. */
  settle(nowNs: number): void {
    if (this.#settling || this.#ended.length === 0) return
    this.#settling = true
    for (let next = this.#ended.shift(); next !== undefined; next = this.#ended.shift()) {
      const { reply, whole } = next
      const { jar, ticket, capture } = reply
      if (whole) {
        capture.read((slot, value) => {
          if (value === undefined) jar.remove(slot)
          else jar.put(slot, value)
        })
      } else capture.discard()
      for (const retry of jar.settle(ticket)) retry(nowNs)
    }
    this.#settling = false
  }

  #retry(shot: ParkedShot, nowNs: number): void {
    if (!this.#keepsOrder) {
      if (!this.#alone.has(shot) || this.#waitsOn(shot)) return
      this.#alone.delete(shot)
      this.#leave(shot, nowNs)
      return
    }
    const lane = this.#lanes.get(shot.connection)
    if (lane?.first !== shot) return
    while (lane.first !== undefined && !this.#waitsOn(lane.first)) {
      const first = lane.shift()
      // Shots that come now, while this one is placed, are behind it all the same.
      if (first !== undefined) this.#leave(first, nowNs)
    }
    if (lane.first === undefined) this.#lanes.delete(shot.connection)
  }

  /** Whether it has to wait longer; then it is entered for that. */
  #waitsOn(shot: ParkedShot): boolean {
    const ticket = shot.plan === undefined ? undefined : shot.jar?.awaited(shot.plan.waits)
    if (ticket === undefined) return false
    shot.jar?.wait(ticket, (atNs) => this.#retry(shot, atNs))
    return true
  }

  #leave(shot: ParkedShot, nowNs: number): void {
    const { held, plan, jar } = shot
    this.#flights.release(held)
    this.#place(this.#one.restore(shot, held.bytes), 0, plan, jar, nowNs, nowNs)
  }

  #pass(batch: ShotBatch, index: number, plan: ShotPlan | undefined, jar: ValueJar | undefined, nowNs: number): void {
    if (plan === undefined) this.#order.place(batch, index, nowNs)
    else this.#place(batch, index, plan, jar, nowNs, 0)
  }

  /** `readyNs`: when the last reply came that it waited for; 0: it waited for none. */
  #place(
    given: ShotBatch,
    givenIndex: number,
    plan: ShotPlan | undefined,
    jar: ValueJar | undefined,
    nowNs: number,
    readyNs: number,
  ): void {
    const flights = this.#flights
    let [batch, index] = [given, givenIndex]
    const awaited =
      plan === undefined || jar === undefined || plan.ticket === 0
        ? undefined
        : { jar, ticket: plan.ticket, capture: new ReplyCapture(plan.sources, this.#budget) }
    if (plan !== undefined && plan.sinks.length > 0) {
      const bytes = substitute(batch.bytes, batch.offset[index] ?? 0, batch.offset[index + 1] ?? 0, plan, jar)
      if (bytes === 'lost') {
        this.#counters.correlationLost++
        flights.endUnsent(batch, index, 'correlation_lost')
        if (awaited !== undefined) this.ended(awaited, false)
        return
      }
      if (bytes !== 'same') {
        this.#counters.correlated++
        batch = (batch === this.#one ? this.#one : this.#one.copy(batch, index)).setBytes(bytes)
        index = 0
      }
    }
    flights.placing(readyNs, awaited)
    this.#order.place(batch, index, nowNs)
    flights.placing(0, undefined)
  }
}
