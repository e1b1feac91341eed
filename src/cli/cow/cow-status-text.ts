import { formatBytes, formatCount } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import { type BranchTable, fullName, type TableState } from '../../cow/postgres/branch/branch-table.ts'
import type { BranchStatus, TableStatus } from '../../cow/postgres/branch/status.ts'
import type { ServerOptions } from '../../cow/postgres/server-options.ts'
import { postgresPlace } from './postgres-url.ts'

/** What a status says besides the branches. */
export interface StatusFacts {
  readonly upstream: ServerOptions
  /** The process that runs the overlay's server. */
  readonly holder: number | undefined
}

/** For machines. */
export function statusJson(statuses: readonly BranchStatus[], { upstream, holder }: StatusFacts): string {
  const branches = statuses.map(({ branch, tables, changed }) => ({
    name: branch.name,
    database: branch.database,
    made: branch.made,
    from: branch.from ?? null,
    sizeBytes: branch.sizeBytes,
    clients: branch.clients,
    proxy: branch.proxy === undefined ? null : { processId: branch.proxy },
    tables,
    changed: changed.map(({ table, touched, counts }) => ({
      table: fullName(table),
      state: table.state,
      touched,
      ...counts,
    })),
  }))
  const server = holder === undefined ? null : { processId: holder }
  return `${JSON.stringify({ production: postgresPlace(upstream), server, branches }, undefined, 2)}\n`
}

/** For people. */
export function statusText(statuses: readonly BranchStatus[], { upstream, holder }: StatusFacts): string {
  const served = statuses.some(({ branch }) => branch.proxy !== undefined)
  const running = holder === undefined ? 'no proxy runs' : `a mesh runs (process ${holder})`
  const head = `branches of ${postgresPlace(upstream)}${served ? '' : `; ${running}`}`
  return `${[head, ...statuses.flatMap(branchLines)].map(visible).join('\n')}\n`
}

function branchLines({ branch, tables, changed }: BranchStatus): string[] {
  const name = branch.name === '' ? '(the first one)' : branch.name
  const from = branch.from === undefined ? '' : ` from ${branch.from === '' ? 'the first one' : branch.from}`
  const clients = `${formatCount(branch.clients)} ${branch.clients === 1 ? 'client' : 'clients'}`
  const served = branch.proxy === undefined ? '' : `, served by process ${branch.proxy}`
  const size = formatBytes(branch.sizeBytes)
  const all = `${formatCount(tables)} ${tables === 1 ? 'table' : 'tables'}`
  const facts = `${name}: ${all}, ${size}, made ${branch.made}${from}${served}, ${clients}`
  return ['', facts, ...(changed.length === 0 ? ['  nothing differs from production'] : tableLines(changed))]
}

function tableLines(changed: readonly TableStatus[]): string[] {
  const rows = changed.map(({ table, touched, counts }) => [
    fullName(table),
    ...[touched, counts.inserted, counts.updated, counts.deleted].map(formatCount),
    stateNote(table),
  ])
  const all = [['', 'touched', 'inserted', 'updated', 'deleted', ''], ...rows]
  const widths = (all[0] ?? []).map((_, place) => Math.max(...all.map((row) => (row[place] ?? '').length)))
  return all.map((row) => {
    const cells = row.map((cell, place) => {
      const width = widths[place] ?? 0
      return place === 0 || place === row.length - 1 ? cell.padEnd(width) : cell.padStart(width)
    })
    return `  ${cells.join('  ')}`.trimEnd()
  })
}

const STATE_NOTES: Readonly<Record<TableState, string>> = {
  merged: '',
  truncated: "truncated: none of production's rows",
  copied: 'copied whole',
  refreshed: 'materialized view, refreshed on the branch',
  made: 'made on the branch',
  dropped: 'dropped on the branch',
}

/** What is to be known of a table besides its rows; empty for most. */
export function stateNote({ state }: BranchTable): string {
  return STATE_NOTES[state]
}
