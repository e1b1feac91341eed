import { formatCount } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import { type BranchTable, fullName } from '../../cow/postgres/branch/branch-table.ts'
import type { DiffStep } from '../../cow/postgres/branch/diff.ts'
import type { MovedRow } from '../../cow/postgres/branch/moved-row.ts'
import { changedColumns, jsonOf, type RowChange } from '../../cow/postgres/branch/row-change.ts'
import type { RowMask } from '../../cow/postgres/branch/row-mask.ts'
import { stateNote } from './cow-status-text.ts'

/** Longer values are cut: the whole is in `--json`. */
const MAX_SHOWN_CHARS = 60

const SIGNS = { inserted: '+', updated: '~', deleted: '-' } as const

const MOVED = {
  changed: 'production has changed it since',
  deleted: 'production has deleted it since',
  taken: 'production has a row of this key too',
} as const

/** One step for people. Rows are masked already; keys of moved rows are by `mask`. */
export function stepText(step: DiffStep, mask: RowMask | undefined): string {
  if (step.kind === 'row') return visible(`  ${SIGNS[step.row.change]} ${rowText(step.table, step.row)}`)
  if (step.kind === 'moved') {
    const columns = step.row.columns.length === 0 ? '' : `: ${step.row.columns.join(', ')}`
    return visible(`  ! ${keyText(step.table, movedKey(step.table, step.row, mask))}  ${MOVED[step.row.how]}${columns}`)
  }
  if (step.kind === 'end') return visible(`  ${endText(step)}\n`.trimEnd())
  const note = stateNote(step.table)
  return visible(`${fullName(step.table)}${note === '' ? '' : ` (${note})`}`)
}

function endText({ counts, moved }: Extract<DiffStep, { kind: 'end' }>): string {
  const parts = Object.entries(counts).flatMap(([change, count]) =>
    count === 0 ? [] : [`${formatCount(count)} ${change}`],
  )
  if (moved > 0) parts.push(`${formatCount(moved)} changed in production since`)
  return parts.length === 0 ? 'no rows' : parts.join(', ')
}

function rowText(table: BranchTable, row: RowChange): string {
  const values = row.after ?? row.before ?? []
  const names = table.columns.map(({ name }) => name)
  const key = table.key.map(({ name }) => name)
  const changed = row.change === 'updated' ? changedColumns(row) : undefined
  const rest = names.flatMap((name, place) => {
    if (changed !== undefined) {
      return changed.includes(place) ? [`${name}: ${short(row.before?.[place])} -> ${short(row.after?.[place])}`] : []
    }
    return key.includes(name) ? [] : [`${name}=${short(values[place])}`]
  })
  return [keyText(table, row.key), rest.join(', ')].filter((part) => part !== '').join('  ')
}

function keyText({ key }: BranchTable, values: readonly string[]): string {
  return values.length === 0 ? '' : key.map(({ name }, place) => `${name}=${values[place] ?? ''}`).join(', ')
}

function short(json: string | null | undefined): string {
  const text = jsonOf(json)
  return text.length <= MAX_SHOWN_CHARS ? text : `${text.slice(0, MAX_SHOWN_CHARS)}..`
}

/** One step as one JSON object. Values stand as PostgreSQL's own JSON has them: numbers keep all their digits. */
export function stepJson(step: DiffStep, mask: RowMask | undefined): string {
  const { table } = step
  const name = `"table":${JSON.stringify(fullName(table))}`
  if (step.kind === 'table') return `{"type":"table",${name},"state":"${table.state}"}`
  if (step.kind === 'end') {
    return `{"type":"counts",${name},${JSON.stringify({ ...step.counts, moved: step.moved }).slice(1)}`
  }
  if (step.kind === 'moved') {
    const { how, columns } = step.row
    const key = keyJson(table, movedKey(table, step.row, mask))
    return `{"type":"moved",${name},"how":"${how}","key":${key},"columns":${JSON.stringify(columns)}}`
  }
  const { row } = step
  const parts = [`"type":"row",${name},"change":"${row.change}","key":${keyJson(table, row.key)}`]
  if (row.change === 'updated') {
    const changed = changedColumns(row).map((place) => table.columns[place]?.name ?? '')
    parts.push(`"changed":${JSON.stringify(changed)}`)
  }
  if (row.before !== undefined) parts.push(`"before":${objectJson(table, row.before)}`)
  if (row.after !== undefined) parts.push(`"after":${objectJson(table, row.after)}`)
  return `{${parts.join(',')}}`
}

/** Keys as texts, whatever their type: they name a row, and are compared with others. */
function keyJson({ key }: BranchTable, values: readonly string[]): string {
  return JSON.stringify(Object.fromEntries(values.map((value, place) => [key[place]?.name ?? '', value])))
}

function objectJson({ columns }: BranchTable, values: readonly (string | null)[]): string {
  return `{${columns.map(({ name }, place) => `${JSON.stringify(name)}:${jsonOf(values[place])}`).join(',')}}`
}

function movedKey({ key }: BranchTable, row: MovedRow, mask: RowMask | undefined): readonly string[] {
  return mask === undefined ? row.key : row.key.map((value, place) => mask.text(key[place]?.name ?? '', value))
}
