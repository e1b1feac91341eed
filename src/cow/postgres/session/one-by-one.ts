import { BACKEND } from '../../../wire/postgres/backend.ts'
import { close, describe, execute, flush, parse, query, sync } from '../../../wire/postgres/frontend.ts'
import { type PlannedStatement, tagOf, type TextPlan } from '../branch/text-plan.ts'
import type { CopyIn } from '../sql/rewriting.ts'
import { DescriptionFilter, IGNORED } from './collectors.ts'
import { COPY_TABLE, CopyCollector } from './copy-in.ts'
import { type CopyUps, NO_ARGUMENTS } from './copy-ups.ts'
import { learnEncodingFor } from './our-query.ts'
import type { OverlayLink } from './overlay-link.ts'
import type { ReplyCollector } from './reply-queue.ts'
import { statementMapper } from './session-errors.ts'
import { bindUnnamed, mayRunAgain, runUntilServed } from './skip-locked.ts'

/** The statement of ours that a simple query is run by, where it needs work. */
const ONE = 'mesh query'

/** What the session does for it. */
export interface OneByOneHooks {
  toClient(this: void, bytes: Uint8Array): void
  /** Told of each statement before it runs. */
  note(this: void, statement: PlannedStatement): void
  /** Takes the client's copy data, though it waits. */
  resume(this: void): void
}

/** Runs statements for which something has to be done first, and COPY .. FROM into merged tables. */
export class OneByOne {
  /** The client has said that its rows are all; what it sends next has to wait for what is made of them. */
  copyEnded = false
  readonly #link: OverlayLink
  readonly #copyUps: CopyUps
  readonly #hooks: OneByOneHooks

  constructor(link: OverlayLink, copyUps: CopyUps, hooks: OneByOneHooks) {
    this.#link = link
    this.#copyUps = copyUps
    this.#hooks = hooks
  }

  /**
   * Statements of a simple query that need work before they run, as an extended query without a Sync between them: one implicit
   * transaction, as the simple protocol has it (PostgreSQL manual 54.2.2.1).
   */
  async run(plan: TextPlan): Promise<void> {
    const link = this.#link
    const description = new DescriptionFilter(this.#hooks.toClient)
    await link.settle()
    // A query behind an error of the extended protocol is skipped like everything else up to the Sync (PostgreSQL manual 54.2.3).
    if (link.failed) return
    const isAmid = link.executed && plan.statements.length === 1
    // A simple query ends the unnamed statement, whatever becomes of the query (PostgreSQL manual 54.2.3).
    link.send(close({ kind: 'statement', name: '' }), { kind: 'close', collector: IGNORED })
    for (const [place, statement] of plan.statements.entries()) {
      if (place > 0) await link.settle()
      if (link.failed) break
      this.#hooks.note(statement)
      const mapError = statementMapper(statement)
      const collected = { collector: IGNORED, mapError }
      link.send(close({ kind: 'statement', name: ONE }), { kind: 'close', ...collected })
      // Parsed before anything is done for it: what is wrong with a text is said of the text.
      const { copyIn } = statement
      if (copyIn !== undefined) {
        await this.#copy(statement, copyIn)
        continue
      }
      await learnEncodingFor(link, statement.text)
      const text = link.encoding.encode(statement.text)
      link.send(parse({ name: ONE, text, parameterTypes: [] }), { kind: 'parse', ...collected })
      const prepare = async (): Promise<boolean> => {
        const hadCandidates = await this.#copyUps.before(statement, NO_ARGUMENTS)
        link.send(bindUnnamed(ONE), { kind: 'bind', ...collected })
        return hadCandidates
      }
      const hadCandidates = await prepare()
      link.send(describe({ kind: 'portal', name: '' }), { kind: 'describe', collector: description, mapError })
      const run = (collector?: ReplyCollector): void =>
        link.send(execute({ portal: '', maxRows: 0 }), {
          kind: 'execute',
          collector,
          mapError,
          mapTag: () => tagOf(statement),
        })
      if (hadCandidates && mayRunAgain(statement))
        await runUntilServed(link, this.#hooks.toClient, { execute: run, prepare })
      else run()
    }
    if (isAmid) await link.settle()
    // In a pipeline that goes on a query of one statement ends no transaction, as a Sync would.
    if (isAmid && !link.failed) link.send(query(''), { kind: 'query', collector: readyOnly(this.#hooks.toClient) })
    else link.send(sync(), { kind: 'sync' })
  }

  /** COPY .. FROM STDIN into a merged table: into a temporary one, and from there by INSERT, before the client hears that it is done. */
  async #copy(statement: PlannedStatement, copyIn: CopyIn): Promise<void> {
    const link = this.#link
    await this.#copyUps.before(statement, NO_ARGUMENTS)
    const text = copyIn.textFor(COPY_TABLE)
    await learnEncodingFor(link, text)
    link.send(parse({ name: ONE, text: link.encoding.encode(text), parameterTypes: [] }), {
      kind: 'parse',
      collector: IGNORED,
    })
    link.send(bindUnnamed(ONE), { kind: 'bind', collector: IGNORED })
    await this.executeCopy(execute({ portal: '', maxRows: 0 }), copyIn)
  }

  /** Runs a COPY .. FROM that is bound, to its end. */
  async executeCopy(bytes: Uint8Array, copyIn: CopyIn): Promise<void> {
    const link = this.#link
    const collector = new CopyCollector(this.#hooks.toClient, () => queueMicrotask(this.#hooks.resume))
    this.copyEnded = false
    link.send(bytes, { kind: 'execute', collector })
    link.sendBare(flush())
    await this.#copyUps.afterCopy(copyIn)
    if (!link.failed) collector.complete()
  }
}

/** Lets ReadyForQuery through. */
function readyOnly(toClient: (bytes: Uint8Array) => void): ReplyCollector {
  return {
    message: (type, _payload, bytes) => {
      if (type === BACKEND.readyForQuery) toClient(bytes)
    },
    piece: toClient,
  }
}
