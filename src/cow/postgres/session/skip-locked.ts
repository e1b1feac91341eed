import { BACKEND, readCommandComplete } from '../../../wire/postgres/backend.ts'
import { bind, close, execute } from '../../../wire/postgres/frontend.ts'
import type { PlannedStatement } from '../branch/text-plan.ts'
import { IGNORED } from './collectors.ts'
import type { CopyUps, ProbeArguments } from './copy-ups.ts'
import type { OverlayLink } from './overlay-link.ts'
import type { ReplyCollector } from './reply-queue.ts'

/** A statement runs so often at most: each time other sessions have taken all that was brought in for it, so that the queue moves. */
const MAX_RUNS = 20

/**
 * It picks rows by SKIP LOCKED, and that it counts none means that it changed none: it may run again where rows of production were there
 * for it, but other sessions took them before it ran.
 */
export function mayRunAgain({ statement, probes }: PlannedStatement): boolean {
  const { kind, writes } = statement
  const counted = kind === 'select' ? 0 : 1
  const counts = kind === 'select' || kind === 'update' || kind === 'delete' || kind === 'insert'
  return counts && writes.length === counted && probes.some(({ skipLocked }) => skipLocked)
}

/** Keeps back that a statement is done where it had no row. */
class EmptyOutcome implements ReplyCollector {
  held: Uint8Array | undefined
  readonly #toClient: (bytes: Uint8Array) => void

  constructor(toClient: (bytes: Uint8Array) => void) {
    this.#toClient = toClient
  }

  message(type: number, payload: Uint8Array, bytes: Uint8Array): void {
    // A tag that counts ends with how many rows there were.
    if (type === BACKEND.commandComplete && readCommandComplete(payload).endsWith(' 0'))
      this.held = Uint8Array.from(bytes)
    else this.#toClient(bytes)
  }

  piece(bytes: Uint8Array): void {
    this.#toClient(bytes)
  }
}

/** One statement that may run again. */
export interface RepeatedRun {
  /** Sends its Execute. */
  execute(this: void, collector: ReplyCollector): void
  /** Brings in what is there now, and binds it anew; resolves to whether there was anything. */
  prepare(this: void): Promise<boolean>
}

/** Runs a statement for which rows were brought in until it gets one, or none is left in production. */
export async function runUntilServed(
  link: OverlayLink,
  toClient: (bytes: Uint8Array) => void,
  run: RepeatedRun,
): Promise<void> {
  let hadCandidates = true
  for (let runs = 1; ; runs++) {
    const outcome = new EmptyOutcome(toClient)
    run.execute(outcome)
    await link.settle()
    if (link.failed || outcome.held === undefined) return
    if (!hadCandidates || runs === MAX_RUNS) {
      toClient(outcome.held)
      return
    }
    hadCandidates = await run.prepare()
    if (link.failed) return
  }
}

/** Portals of statements that may run again, and have not run yet. */
export class SkippingPortals {
  readonly #link: OverlayLink
  readonly #copyUps: CopyUps
  readonly #toClient: (bytes: Uint8Array) => void
  readonly #prepare = new Map<string, () => Promise<boolean>>()

  constructor(link: OverlayLink, copyUps: CopyUps, toClient: (bytes: Uint8Array) => void) {
    this.#link = link
    this.#copyUps = copyUps
    this.#toClient = toClient
  }

  /** A portal is bound by `bytes`, which are the caller's no more, with rows brought in for it. */
  add(portal: string, statement: PlannedStatement, given: ProbeArguments, bytes: Uint8Array): void {
    this.#prepare.set(portal, async () => {
      this.#link.send(close({ kind: 'portal', name: portal }), { kind: 'close', collector: IGNORED })
      const hadCandidates = await this.#copyUps.before(statement, given)
      this.#link.send(bytes, { kind: 'bind', collector: IGNORED })
      return hadCandidates
    })
  }

  forget(portal: string): void {
    this.#prepare.delete(portal)
  }

  /** Undefined: the portal is none of these, or has begun. */
  execute(portal: string, maxRows: number): Promise<void> | undefined {
    const prepare = this.#prepare.get(portal)
    if (prepare === undefined) return undefined
    this.#prepare.delete(portal)
    const bytes = execute({ portal, maxRows })
    return runUntilServed(this.#link, this.#toClient, {
      execute: (collector) => this.#link.send(bytes, { kind: 'execute', collector }),
      prepare,
    })
  }
}

/** Binds the statement `name`, without parameters, to the unnamed portal. */
export function bindUnnamed(name: string): Uint8Array {
  return bind({ portal: '', statement: name, formats: [], values: [], resultFormats: [] })
}
