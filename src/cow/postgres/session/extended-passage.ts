import { copyOf, utf8 } from '../../../core/bytes.ts'
import {
  BACKEND,
  bindComplete,
  closeComplete,
  commandComplete,
  parseComplete,
  portalSuspended,
  readyForQuery,
  type TransactionStatus,
} from '../../../wire/postgres/backend.ts'
import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import type { PgFrame, PgMessage } from '../../../wire/postgres/framer.ts'
import {
  describe,
  execute,
  FRONTEND,
  type PgParse,
  readClose,
  readDescribe,
  readExecute,
} from '../../../wire/postgres/frontend.ts'
import { PayloadReader } from '../../../wire/postgres/payload-reader.ts'
import type { PlannedStatement, TextPlan } from '../branch/text-plan.ts'
import { BoundValues } from './bound-values.ts'
import { DescriptionKeeper, type LocalPortal, messageOf } from './local-portal.ts'
import { OverlayPortals, type UnansweredBind } from './overlay-portals.ts'
import type { Passage, Passed } from './passage.ts'
import { raise } from './raise.ts'
import type { AwaitedReply, ReplyCollector } from './reply-queue.ts'
import type { PreparedStatement, StatementStore } from './statement-store.ts'

/** What the session does for its passage. */
export interface SessionPart {
  /** Sessions with equal keys parse every text alike; '' for one that is like no other. */
  scopeKey(): string
  /** Takes a message that had to wait for another one. */
  redo(frame: PgFrame): Promise<void> | undefined
  /** Takes a message that turned out to be the overlay's. */
  leave(frame: PgFrame): Promise<void> | undefined
}

/** Handled, at once or when it resolves; undefined: the overlay's. */
export type Handled = true | Promise<void> | undefined

/**
 * The extended protocol of statements that run on production (PostgreSQL manual 54.2.3): Bind decides, and what belongs to such a
 * portal is answered here. A Parse that the overlay is known to take waits until the overlay needs it, which a statement that is passed
 * never does. Whether it could be bound is known when it has run, and so Bind is answered with its Execute; where something else
 * follows, the overlay binds it.
 */
export class ExtendedPassage {
  readonly passage: Passage
  readonly #statements: StatementStore
  readonly #session: SessionPart
  readonly #portals = new Map<string, LocalPortal>()
  readonly #overlaid: OverlayPortals
  #unanswered: UnansweredBind | undefined
  /** After an error that the overlay knows nothing of, messages are skipped up to the next Sync. */
  isSkipping = false

  constructor(passage: Passage, statements: StatementStore, session: SessionPart) {
    this.passage = passage
    this.#statements = statements
    this.#session = session
    this.#overlaid = new OverlayPortals(passage.link, statements)
  }

  /** Takes what does not need the text of a statement. */
  take(frame: PgFrame): Handled {
    if (this.isSkipping) return this.#skip(frame)
    if (frame.piece !== undefined || frame.type === FRONTEND.terminate) return undefined
    if (this.#unanswered !== undefined && !continues(frame, this.#unanswered)) return this.#answerFirst(frame)
    switch (frame.type) {
      case FRONTEND.bind:
        return this.#bind(frame)
      case FRONTEND.describe:
        return this.#describe(frame)
      case FRONTEND.execute:
        return this.#execute(frame)
      case FRONTEND.close:
        return this.#close(frame)
      case FRONTEND.flush:
        return this.passage.link.synced ? true : undefined
      case FRONTEND.sync:
        return this.#sync()
      default:
        return undefined
    }
  }

  /** Answers a Parse that the overlay is known to take. */
  parse(message: PgParse, plan: TextPlan, prepared: PreparedStatement, bytes: Uint8Array): boolean {
    const { link, output, branch, status } = this.passage
    if (message.name === '') this.#overlaid.unnamedIs('parsed')
    const key = this.#keyOf(message)
    if (key === undefined || this.passage.mayPass(plan, message.parameterTypes) === undefined) return false
    prepared.known = branch.knowledge?.texts.get(key)
    if (message.name !== '' || prepared.known === undefined) return false
    if (!link.settled || link.failed || link.copying || status === 'E') return false
    // What a backslash means may be another thing by the time that the overlay parses it.
    if (message.text.includes('\\')) return false
    // In memory of its own: a short copy out of Node's pool would keep 8 KB as long as the client keeps the statement.
    prepared.deferred = new Uint8Array(bytes)
    prepared.confirmed = true
    output.append(parseComplete())
    return true
  }

  /** What is awaited of the overlay for a Parse: it is remembered that it went well. */
  parseReply(message: PgParse, prepared: PreparedStatement, reply: AwaitedReply): AwaitedReply {
    const { output, branch } = this.passage
    const key = this.#keyOf(message)
    const texts = branch.knowledge?.texts
    const collector: ReplyCollector = {
      message: (type, _payload, bytes) => {
        output.append(bytes)
        if (type !== BACKEND.parseComplete) return
        prepared.confirmed = true
        if (key !== undefined) prepared.known = texts?.add(key)
      },
      piece: (bytes) => output.append(bytes),
    }
    return { ...reply, collector }
  }

  /** A simple query that ran on production ends the unnamed statement, as any does (PostgreSQL manual 54.2.3). */
  endUnnamed(): void {
    this.#statements.close('')
    this.#overlaid.unnamedIs('gone')
  }

  /** Told of each statement that goes to the overlay; undefined: of one that nobody has parsed. */
  note(planned: PlannedStatement | undefined): void {
    // In a failed transaction nothing is given up.
    const detail = this.passage.status === 'E' ? undefined : planned?.statement.detail
    if (detail?.kind === 'discard' && detail.what === 'all') this.#statements.clear()
    if (detail?.kind === 'deallocate' && detail.name === undefined) this.#statements.clear()
    else if (detail?.kind === 'deallocate') this.#statements.close(detail.name ?? '')
    this.passage.note(planned)
  }

  /** The overlay is done with a query or Sync. True: the schema has changed, for all to see. */
  onStatus(status: TransactionStatus): boolean {
    if (status !== 'T') this.#closeAll()
    return this.passage.onStatus(status)
  }

  /** The client is gone. */
  end(): void {
    this.passage.cancel()
    this.#closeAll()
  }

  #keyOf({ text, parameterTypes }: PgParse): string | undefined {
    const scope = this.#session.scopeKey()
    // Names in a description are the client's, in its encoding.
    return scope === '' || !this.passage.link.encoding.isUtf8
      ? undefined
      : `${scope}${parameterTypes.join(',')}\0${text}`
  }

  #skip(frame: PgFrame): Handled {
    if (frame.type === FRONTEND.terminate) return undefined
    if (frame.type !== FRONTEND.sync) return true
    this.isSkipping = false
    return this.#sync()
  }

  #bind(frame: PgMessage): Handled {
    const reader = new PayloadReader(frame.payload, 'Bind')
    const portal = reader.text()
    const statement = reader.text()
    if (portal !== '' && this.#portals.has(portal) && this.passage.link.settled) {
      raise(this.passage.link, { code: '42P03', message: `cursor "${portal}" already exists` })
      return true
    }
    const prepared = this.#statements.prepared(statement)
    const types = prepared?.statedTypes ?? []
    const planned = prepared === undefined ? undefined : this.passage.mayPass(prepared.plan, types)
    if (prepared === undefined || planned === undefined) return this.#leave(portal, statement)
    const values = new BoundValues(copyOf(reader.borrowRest()))
    if (!values.isWhole) return this.#leave(portal, statement)
    const bound = { portal, statement, prepared, planned, values }
    if (this.passage.isReady) return this.#bindNow(bound) ? true : this.#leave(portal, statement)
    const bytes = Uint8Array.from(frame.bytes)
    return this.passage.makeReady().then(() => {
      if (this.#bindNow(bound)) return undefined
      this.#leave(portal, statement)
      return this.#session.leave(messageOf(bytes))
    })
  }

  /** The overlay binds it. */
  #leave(portal: string, statement: string): undefined {
    this.#drop(portal)
    this.#overlaid.forgetEnded(this.passage.status)
    this.#overlaid.add(portal)
    this.#overlaid.ensureParsed(statement)
  }

  #bindNow(bound: {
    readonly portal: string
    readonly statement: string
    readonly prepared: PreparedStatement
    readonly planned: PlannedStatement
    readonly values: BoundValues
  }): boolean {
    const { portal, statement, prepared, planned, values } = bound
    const { text, parameters } = planned.statement
    const types = prepared.statedTypes
    this.#overlaid.forgetEnded(this.passage.status)
    if (prepared.confirmed !== true || values.count !== Math.max(parameters.at(-1) ?? 0, types.length)) return false
    if (portal !== '' && (this.#overlaid.has(portal) || this.#portals.has(portal))) return false
    const choice = this.passage.choose(planned, types, values)
    if (choice === undefined) return false
    this.#drop(portal)
    const local: LocalPortal = { prepared, statement, choice, text, values, open: undefined, isDone: false }
    this.#portals.set(portal, local)
    this.#unanswered = { name: portal, portal: local, isDescribed: false }
    return true
  }

  #describe(frame: PgMessage): Handled {
    const { kind, name } = readDescribe(frame.payload)
    if (kind === 'statement') return this.#describeStatement(name)
    const portal = this.#portals.get(name)
    if (portal === undefined) return undefined
    if (this.#unanswered?.portal !== portal) return this.#overlaid.answer(portal, { bind: false, describe: true })
    this.#unanswered.isDescribed = true
    return true
  }

  /** Answered out of what the overlay has said of the same text before. */
  #describeStatement(name: string): Handled {
    const prepared = this.#statements.prepared(name)
    const { link, output } = this.passage
    if (prepared?.confirmed !== true) {
      this.#overlaid.ensureParsed(name)
      return undefined
    }
    const { known } = prepared
    if (known?.description !== undefined && link.settled && !link.failed && this.passage.status !== 'E') {
      output.append(known.description)
      return true
    }
    this.#overlaid.ensureParsed(name)
    if (known === undefined) return undefined
    link.send(describe({ kind: 'statement', name }), {
      kind: 'describe',
      collector: new DescriptionKeeper(known, (bytes) => output.append(bytes)),
    })
    return true
  }

  #execute(frame: PgMessage): Handled {
    const { portal: name, maxRows } = readExecute(frame.payload)
    const portal = this.#portals.get(name)
    if (portal === undefined) {
      this.passage.executes()
      return undefined
    }
    return this.#run(name, portal, maxRows)
  }

  async #run(name: string, portal: LocalPortal, maxRows: number): Promise<void> {
    const { link, output } = this.passage
    if (!link.settled) await link.settle()
    // A query in front of it may have ended the portal with its transaction.
    if (this.#portals.get(name) !== portal) return this.#session.redo(messageOf(execute({ portal: name, maxRows })))
    const unanswered = this.#unanswered
    this.#unanswered = undefined
    if (link.failed) return
    if (portal.isDone) {
      output.append(commandComplete('SELECT 0'))
      return
    }
    const passed = await this.#passOn(portal, maxRows, unanswered)
    switch (passed.kind) {
      case 'elsewhere':
        this.#portals.delete(name)
        this.#overlaid.run(name, portal, maxRows, unanswered)
        return
      case 'suspended':
        portal.open = passed.portal
        output.append(portalSuspended())
        return
      case 'complete':
        portal.open = undefined
        portal.isDone = true
        output.append(commandComplete(passed.tag))
        return
      case 'failed':
        this.#fail(name, passed.error)
    }
  }

  #passOn(portal: LocalPortal, maxRows: number, unanswered: UnansweredBind | undefined): Promise<Passed> {
    const { choice, text, values, prepared, open } = portal
    if (open !== undefined) return this.passage.resume(open, maxRows)
    const description = unanswered?.isDescribed === true ? 'sent' : 'checked'
    const bound = unanswered === undefined ? undefined : bindComplete()
    const types = prepared.statedTypes
    return this.passage.run({ choice, text, types, values, description, bindComplete: bound, maxRows })
  }

  #fail(name: string, error: PgErrorFields): void {
    this.#portals.delete(name)
    this.isSkipping = this.passage.fail(error)
  }

  /** Something else than its Execute follows the Bind of a portal: the overlay has to tell. */
  async #answerFirst(frame: PgMessage): Promise<void> {
    const bytes = Uint8Array.from(frame.bytes)
    const unanswered = this.#unanswered
    this.#unanswered = undefined
    if (unanswered !== undefined) {
      const { name, portal, isDescribed } = unanswered
      await this.#overlaid.answer(portal, { bind: true, describe: isDescribed })
      if (this.passage.link.failed) this.#portals.delete(name)
    }
    await this.#session.redo(messageOf(bytes))
  }

  #close(frame: PgMessage): Handled {
    const { kind, name } = readClose(frame.payload)
    if (kind === 'statement' || !this.#portals.has(name)) return undefined
    this.#drop(name)
    const { link, output } = this.passage
    if (link.settled) {
      if (!link.failed) output.append(closeComplete())
      return true
    }
    return link.settle().then(() => {
      if (!link.failed) output.append(closeComplete())
    })
  }

  #sync(): Handled {
    const { link, output, status } = this.passage
    this.passage.endBatch()
    if (!link.synced || !link.settled || link.copying || link.failed) return undefined
    if (status === 'I') this.#closeAll()
    output.append(readyForQuery(status))
    return true
  }

  #drop(name: string): void {
    this.#portals.get(name)?.open?.close()
    this.#portals.delete(name)
  }

  #closeAll(): void {
    for (const { open } of this.#portals.values()) open?.close()
    this.#portals.clear()
    this.#unanswered = undefined
  }
}

const PORTAL = 0x50

/** Is the message, whole as it has to be, the Describe or the Execute of the portal that was just bound? */
function continues({ type, payload }: PgMessage, { name, isDescribed }: UnansweredBind): boolean {
  const isDescribe = type === FRONTEND.describe
  if (isDescribe ? isDescribed || payload[0] !== PORTAL : type !== FRONTEND.execute) return false
  const start = isDescribe ? 1 : 0
  const end = payload.indexOf(0, start)
  if (end === -1 || payload.length !== end + (isDescribe ? 1 : 5)) return false
  return (end === start ? '' : utf8(payload.subarray(start, end))) === name
}
