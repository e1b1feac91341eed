import type { Ledger } from '../core/ledger.ts'
import { LEDGER_FATES, LEDGER_UNITS, ledgerImbalance } from '../core/ledger.ts'
import { formatCount } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import { reasonText } from './reason-text.ts'

/** How fates are called on a screen. */
const FATE_TITLES: Readonly<Record<string, string>> = { midStream: 'mid-stream' }

/** A ledger as a table: units as rows, the fates that occur as columns, and why. */
export function ledgerTable(ledger: Ledger): string {
  const fates = LEDGER_FATES.filter((fate) => fate === 'whole' || LEDGER_UNITS.some((unit) => ledger[unit][fate] !== 0))
  const titles = ['', 'seen', ...fates.map((fate) => FATE_TITLES[fate] ?? fate)]
  const rows = LEDGER_UNITS.map((unit) => [
    unit,
    formatCount(ledger[unit].seen),
    ...fates.map((fate) => formatCount(ledger[unit][fate])),
  ])
  return [...alignRight([titles, ...rows]), ...reasonLines(ledger), balanceLine(ledger)].join('\n')
}

/** Why things have the fates that they have: `requests undecodable, two-lengths: 3`. */
function reasonLines(ledger: Ledger): string[] {
  return [...ledger.reasons]
    .filter(([, count]) => count !== 0)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([reason, count]) => `  ${visible(reasonText(reason))}: ${formatCount(count)}`)
}

/** `the ledger balances`, or what is missing where. */
export function balanceLine(ledger: Ledger): string {
  const off = ledgerImbalance(ledger)
  if (off.size === 0) return 'the ledger balances'
  const parts = [...off].map(
    ([unit, count]) => `${formatCount(Math.abs(count))} ${unit} ${count > 0 ? 'unexplained' : 'too many'}`,
  )
  return `THE LEDGER DOES NOT BALANCE: ${parts.join(', ')}`
}

/** In one line: what was recorded, and what was not and why. */
export function ledgerSummary(ledger: Ledger): string {
  const { requests, responses } = ledger
  const parts = [`${formatCount(requests.whole)} of ${formatCount(requests.seen)} requests whole`]
  parts.push(`${formatCount(responses.whole)} of ${formatCount(responses.seen)} responses`)
  for (const fate of LEDGER_FATES) {
    if (fate === 'whole' || fate === 'framing' || requests[fate] + responses[fate] === 0) continue
    parts.push(`${FATE_TITLES[fate] ?? fate} ${formatCount(requests[fate])}+${formatCount(responses[fate])}`)
  }
  return `${parts.join(', ')}; ${balanceLine(ledger)}`
}

/** Pads columns to one width: the first to the left, the rest to the right. */
export function alignRight(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  return rows.map((row) =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
