import type { PgErrorFields } from '../../../wire/postgres/error-fields.ts'
import { bind, close, describe, execute, parse, type PgBindBytes } from '../../../wire/postgres/frontend.ts'
import type { Branch } from '../branch/branch.ts'
import type { PlannedStatement } from '../branch/text-plan.ts'
import type { CopyIn, KeyProbe, Refusal, SingleProbe } from '../sql/rewriting.ts'
import { isAscii, unreadable } from './client-encoding.ts'
import { CountCollector, IGNORED, RowCollector, TypeCollector } from './collectors.ts'
import { copyInsertTexts, copyTableText } from './copy-in.ts'
import { learnEncoding, learnEncodingFor } from './our-query.ts'
import type { OverlayLink } from './overlay-link.ts'
import { raise } from './raise.ts'
import type { ReplyCollector } from './reply-queue.ts'
import type { PreparedStatement } from './statement-store.ts'

/** Parameters of the statement that a probe is for, with the types that the server found. */
export interface ProbeArguments {
  readonly types: readonly number[]
  readonly bind: Pick<PgBindBytes, 'formats' | 'values'>
}

export const NO_ARGUMENTS: ProbeArguments = { types: [], bind: { formats: [], values: [] } }

const PROBE = 'mesh probe'

/**
 * Brings the base rows that a statement may write or lock into the overlay, before it runs: asks for their keys on the client's own
 * backend, which sees the client's snapshot, settings and parameters, then copies them up.
 */
export class CopyUps {
  readonly #link: OverlayLink
  readonly #branch: Branch

  constructor(link: OverlayLink, branch: Branch) {
    this.#link = link
    this.#branch = branch
  }

  /**
   * Does all that a statement needs. Where it cannot, the client has been told and the link has failed. Resolves to whether rows were
   * brought in that it may skip, should other sessions lock them first.
   */
  async before(statement: PlannedStatement, given: ProbeArguments): Promise<boolean> {
    if (statement.refusal !== undefined) {
      this.#branch.counters.refused++
      raise(this.#link, statement.refusal)
      return false
    }
    if (this.#isSingle(statement, given)) {
      for (const { single } of statement.probes) if (single !== undefined) this.#sendSingle(single, given)
      return false
    }
    await this.#link.settle()
    if (this.#link.failed) return false
    await this.#runAll(statement.preparations.map((preparation) => this.#branch.preparationText(preparation)))
    if (statement.copyIn !== undefined) await this.#run(copyTableText(statement.copyIn))
    let mayBeSkipped = false
    for (const probe of statement.probes) {
      if (this.#link.failed) return false
      const hadRows = await this.#copyUp(probe, given)
      if (probe.skipLocked && hadRows) mayBeSkipped = true
    }
    return mayBeSkipped
  }

  /** Nothing hangs on what the probes find: they go to the backend in one packet with the statement, which is skipped where they fail. */
  #isSingle({ probes, preparations, copyIn }: PlannedStatement, { types }: ProbeArguments): boolean {
    if (preparations.length > 0 || copyIn !== undefined || probes.length > this.#branch.limits.maxCopyUpRows)
      return false
    return probes.every(
      ({ single }) =>
        single !== undefined &&
        // Others wait until it is known in which encoding they are to be written.
        isAscii(single.text) &&
        single.parameters.every((parameter) => parameter.types.includes(types[parameter.number - 1] ?? 0)),
    )
  }

  #sendSingle({ text }: SingleProbe, given: ProbeArguments): void {
    const { counters } = this.#branch
    this.#send(text, given, 0, new CountCollector((rows) => (counters.copiedUpRows += rows)))
  }

  /** A probe bears the client's parameters, and has to have their types, of which it may leave some unused. */
  async typesOf(name: string, prepared: PreparedStatement): Promise<readonly number[]> {
    if (prepared.parameterTypes === undefined) {
      const collector = new TypeCollector()
      await this.#link.settle()
      this.#link.send(describe({ kind: 'statement', name }), { kind: 'describe', collector })
      await this.#link.settle()
      prepared.parameterTypes = collector.types
    }
    return prepared.parameterTypes ?? prepared.statedTypes
  }

  /** Does what is left when the client has sent its rows. */
  async afterCopy(copyIn: CopyIn): Promise<void> {
    await this.#link.settle()
    await this.#runAll(copyInsertTexts(copyIn))
  }

  async #runAll(texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      if (this.#link.failed) return
      await this.#run(text)
    }
  }

  async #copyUp(probe: KeyProbe, given: ProbeArguments): Promise<boolean> {
    const { maxCopyUpRows } = this.#branch.limits
    const rows = await this.#run(probe.text, given, maxCopyUpRows + 1)
    if (this.#link.failed || rows.length === 0) return false
    if (rows.length > maxCopyUpRows) raise(this.#link, tooMany(probe, maxCopyUpRows))
    else await this.#run(this.#branch.copyUpText(probe.table, rows))
    return true
  }

  /** Runs a query of ours on the client's backend, inside whatever transaction it has. An error goes to the client. */
  async #run(text: string, given: ProbeArguments = NO_ARGUMENTS, maxRows = 0): Promise<(string | null)[][]> {
    const rows = new RowCollector()
    const link = this.#link
    await learnEncodingFor(link, text)
    this.#send(text, given, maxRows, rows)
    await link.settle()
    if (!rows.isAscii) await learnEncoding(link)
    const texts = rows.decoded(link.encoding)
    if (texts === undefined) raise(link, unreadable(link.encoding))
    return texts ?? []
  }

  #send(text: string, { types, bind: values }: ProbeArguments, maxRows: number, rows: ReplyCollector): void {
    const link = this.#link
    const mapError = withoutPosition
    // One that failed may have left its statement behind.
    link.send(close({ kind: 'statement', name: PROBE }), { kind: 'close', collector: IGNORED })
    link.send(parse({ name: PROBE, text: link.encoding.encode(text), parameterTypes: types }), {
      kind: 'parse',
      collector: IGNORED,
      mapError,
    })
    link.send(bind({ ...values, portal: PROBE, statement: PROBE, resultFormats: [] }), {
      kind: 'bind',
      collector: IGNORED,
      mapError,
    })
    link.send(execute({ portal: PROBE, maxRows }), { kind: 'execute', collector: rows, mapError })
    link.send(close({ kind: 'portal', name: PROBE }), { kind: 'close', collector: IGNORED })
  }
}

/** The position is one in our text, not in the client's. */
function withoutPosition(fields: PgErrorFields): PgErrorFields {
  const { position, ...rest } = fields
  return position === undefined ? fields : rest
}

function tooMany({ table }: KeyProbe, limit: number): Refusal {
  return {
    code: '54000',
    message: `the statement may change more than ${limit} rows of "${table.schema}"."${table.name}" that are still production's`,
    hint: 'Narrow its WHERE clause, or raise --max-copy-up-rows.',
  }
}
