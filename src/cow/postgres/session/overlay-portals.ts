import { close, describe, execute } from '../../../wire/postgres/frontend.ts'
import type { TransactionStatus } from '../../../wire/postgres/backend.ts'
import { IGNORED } from './collectors.ts'
import { bindMessage, type LocalPortal } from './local-portal.ts'
import type { OverlayLink } from './overlay-link.ts'
import type { StatementStore } from './statement-store.ts'

/** A portal whose Bind, and the Describe behind it, are not answered yet: its Execute tells whether it could be bound. */
export interface UnansweredBind {
  readonly name: string
  readonly portal: LocalPortal
  isDescribed: boolean
}

/** Where a portal is bound and described that production has not run. */
const ASIDE = 'mesh describe'

/** Statements and portals as the overlay knows them: it is told of what it was spared when it needs it. */
export class OverlayPortals {
  readonly #link: OverlayLink
  readonly #statements: StatementStore
  readonly #named = new Set<string>()
  /** A simple query has ended the unnamed statement, of which the overlay has not been told. */
  #unnamedGone = false

  constructor(link: OverlayLink, statements: StatementStore) {
    this.#link = link
    this.#statements = statements
  }

  /** The overlay binds a portal of this name. */
  add(name: string): void {
    if (name !== '') this.#named.add(name)
  }

  has(name: string): boolean {
    return this.#named.has(name)
  }

  /** Portals end with their transaction; while a batch is under way, some may be of the next one. */
  forgetEnded(status: TransactionStatus): void {
    if (status === 'I' && this.#link.synced && this.#link.settled) this.#named.clear()
  }

  unnamedIs(state: 'parsed' | 'gone'): void {
    this.#unnamedGone = state === 'gone'
  }

  /** The overlay gets the Parse that it was spared. */
  ensureParsed(statement: string): void {
    const prepared = this.#statements.prepared(statement)
    if (statement === '' && this.#unnamedGone) {
      this.#unnamedGone = false
      this.#link.send(close({ kind: 'statement', name: '' }), { kind: 'close', collector: IGNORED })
    }
    if (prepared?.deferred === undefined) return
    this.#link.send(prepared.deferred, { kind: 'parse', collector: IGNORED })
    prepared.deferred = undefined
  }

  /** Has the overlay describe a portal, or bind one, in production's stead: its answers are the client's. */
  async answer(portal: LocalPortal, wanted: { readonly bind: boolean; readonly describe: boolean }): Promise<void> {
    const link = this.#link
    this.ensureParsed(portal.statement)
    link.send(bindMessage(ASIDE, portal), { kind: 'bind', ...(wanted.bind ? {} : { collector: IGNORED }) })
    if (wanted.describe) link.send(describe({ kind: 'portal', name: ASIDE }), { kind: 'describe' })
    link.send(close({ kind: 'portal', name: ASIDE }), { kind: 'close', collector: IGNORED })
    await link.settle()
  }

  /** The overlay runs a portal. `unanswered`: its answers to Bind and Describe are the client's too. */
  run(name: string, portal: LocalPortal, maxRows: number, unanswered: UnansweredBind | undefined): void {
    const link = this.#link
    this.ensureParsed(portal.statement)
    link.send(bindMessage(name, portal), {
      kind: 'bind',
      ...(unanswered === undefined ? { collector: IGNORED } : {}),
    })
    this.add(name)
    if (unanswered?.isDescribed === true) link.send(describe({ kind: 'portal', name }), { kind: 'describe' })
    link.send(execute({ portal: name, maxRows }), { kind: 'execute' })
  }
}
