/** COPY on merged tables: out of a query, since COPY t TO reads local rows alone; in through another relation. */
import type { MergedTable, ResolveRelation } from '../catalog.ts'
import { isMerged } from '../catalog.ts'
import { nameOf } from './lock-probe.ts'
import type { CopyIn, Refusal } from './rewriting.ts'
import type { Splice } from './splice.ts'
import { quoteName, spliced } from './splice.ts'
import type { CopyDetail, Statement } from './statement.ts'

interface CopyRewriting {
  readonly splice?: Splice
  readonly copyIn?: CopyIn
  readonly refusal?: Refusal
}

const OLD_SYNTAX: Refusal = {
  code: '0A000',
  message: 'the COPY syntax of PostgreSQL 7 is not supported on a merged table',
  hint: 'Write COPY t TO .. WITH (FORMAT binary).',
}

export function rewriteCopy(statement: Statement, copy: CopyDetail, resolve: ResolveRelation): CopyRewriting {
  const { relation, target, direction } = copy
  const table = relation === undefined ? 'unknown' : resolve(nameOf(relation))
  if (relation === undefined || target === undefined || !isMerged(table)) return {}
  const columns = copy.columns ?? table.columns.filter((column) => !column.generated).map((column) => column.name)
  if (direction === 'from') return { copyIn: copyInto(statement, copy, table, columns) }
  if (copy.oldSyntax) return { refusal: OLD_SYNTAX }
  const name = statement.text.slice(target.start, statement.tokens.end(lastOfName(statement, target.start)))
  const text = `(SELECT ${columns.map(quoteName).join(', ')} FROM ${name})`
  return { splice: { ...target, text } }
}

/** The last token of a qualified name. */
function lastOfName({ tokens }: Statement, start: number): number {
  let last = tokens.indexAt(start)
  while (tokens.isSign(last + 1, '.')) last += 2
  return last
}

function copyInto(statement: Statement, copy: CopyDetail, table: MergedTable, columns: readonly string[]): CopyIn {
  const { target } = copy
  const list = columns.map(quoteName).join(', ')
  return {
    table,
    columns,
    fromServer: copy.file !== undefined || copy.program,
    textFor: (relation) => {
      const splices = target === undefined ? [] : [{ ...target, text: `${relation} (${list})` }]
      return spliced(statement.text, { start: statement.start, end: statement.end }, splices)
    },
  }
}
