import { LEDGER_FATES, LEDGER_UNITS, addLedger, emptyLedger } from '../core/ledger.ts'
import type { Ledger, LedgerFate, LedgerRow } from '../core/ledger.ts'
import { reflectedType } from './protobuf.ts'
import { LEDGER_TYPE } from './schema.ts'

/** A ledger in its two written forms: the message `mesh.v1.Ledger` of a delta, and the metadata `mesh.ledger` of a total. */

type Column = LedgerFate | 'seen'
const COLUMNS: readonly Column[] = ['seen', ...LEDGER_FATES]

/** The fields of `mesh.v1.LedgerRow` are named like the fates, in the manner of protobuf. */
function fieldName(column: Column): string {
  return column === 'midStream' ? 'mid_stream' : column
}

const type = reflectedType(LEDGER_TYPE)

/** The caller owns the result. */
export function encodeLedger(ledger: Ledger): Uint8Array {
  const fields: Record<string, unknown> = {}
  for (const unit of LEDGER_UNITS) {
    const row: Record<string, number> = {}
    for (const column of COLUMNS) if (ledger[unit][column] !== 0) row[fieldName(column)] = ledger[unit][column]
    fields[unit] = row
  }
  fields['reasons'] = [...ledger.reasons].map(([reason, count]) => ({ reason, count }))
  return type.encode(fields)
}

/** Throws where the bytes are not a ledger. */
export function decodeLedger(bytes: Uint8Array): Ledger {
  const fields = type.decode(bytes)
  const ledger = emptyLedger()
  for (const unit of LEDGER_UNITS) {
    const row = fields[unit]
    for (const column of COLUMNS) ledger[unit][column] = numberIn(row, fieldName(column))
  }
  const reasons = fields['reasons']
  if (Array.isArray(reasons)) {
    for (const entry of reasons) ledger.reasons.set(textIn(entry, 'reason'), numberIn(entry, 'count'))
  }
  return ledger
}

/** `requests.whole` to `"12"`, reasons as `reason.requests.cut.limit`; what is zero is left out. */
export function ledgerMetadata(ledger: Ledger): Map<string, string> {
  const entries = new Map<string, string>()
  for (const unit of LEDGER_UNITS) {
    for (const column of COLUMNS) {
      if (ledger[unit][column] !== 0) entries.set(`${unit}.${fieldName(column)}`, String(ledger[unit][column]))
    }
  }
  for (const [reason, count] of ledger.reasons) entries.set(`reason.${reason}`, String(count))
  return entries
}

/** The inverse of `ledgerMetadata`; what it does not know is passed over. */
export function parseLedgerMetadata(entries: ReadonlyMap<string, string>): Ledger {
  const ledger = emptyLedger()
  for (const unit of LEDGER_UNITS) {
    for (const column of COLUMNS) ledger[unit][column] = wholeNumber(entries.get(`${unit}.${fieldName(column)}`))
  }
  for (const [key, value] of entries) {
    if (key.startsWith('reason.')) ledger.reasons.set(key.slice('reason.'.length), wholeNumber(value))
  }
  return ledger
}

/** True where nothing is counted: such a delta need not be written. */
export function isEmptyLedger(ledger: Ledger): boolean {
  return LEDGER_UNITS.every((unit) => isEmptyRow(ledger[unit])) && ledger.reasons.size === 0
}

function isEmptyRow(row: LedgerRow): boolean {
  return COLUMNS.every((column) => row[column] === 0)
}

/** True where both count the same, reasons included. */
export function equalLedgers(a: Ledger, b: Ledger): boolean {
  for (const unit of LEDGER_UNITS) {
    for (const column of COLUMNS) if (a[unit][column] !== b[unit][column]) return false
  }
  const reasons = new Set([...a.reasons.keys(), ...b.reasons.keys()])
  return [...reasons].every((reason) => (a.reasons.get(reason) ?? 0) === (b.reasons.get(reason) ?? 0))
}

/**
 * The delta of a chunk that was lost before it reached the disk: what was in it, whole or cut, is `dropped` for the
 * given reason, so that the recording's sums still tell of it. The result is the caller's own.
 */
export function droppedLedger(delta: Ledger, reason: string): Ledger {
  const dropped = emptyLedger()
  addLedger(dropped, delta)
  for (const key of dropped.reasons.keys()) if (key.startsWith('sealed.')) dropped.reasons.delete(key)
  for (const unit of LEDGER_UNITS) {
    if (unit === 'connections') continue
    const row = dropped[unit]
    const lost = row.whole + row.cut
    if (lost === 0) continue
    row.whole = 0
    row.cut = 0
    row.dropped += lost
    for (const key of dropped.reasons.keys()) {
      if (key.startsWith(`${unit}.cut.`) || key.startsWith(`${unit}.whole.`)) dropped.reasons.delete(key)
    }
    const key = `${unit}.dropped.${reason}`
    dropped.reasons.set(key, (dropped.reasons.get(key) ?? 0) + lost)
  }
  return dropped
}

/** Takes `delta` from `total` again, in place. */
export function subtractLedger(total: Ledger, delta: Ledger): void {
  for (const unit of LEDGER_UNITS) for (const column of COLUMNS) total[unit][column] -= delta[unit][column]
  for (const [reason, count] of delta.reasons) {
    const rest = (total.reasons.get(reason) ?? 0) - count
    if (rest === 0) total.reasons.delete(reason)
    else total.reasons.set(reason, rest)
  }
}

function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^-?\d{1,15}$/.test(text) ? Number(text) : 0
}

function numberIn(fields: unknown, name: string): number {
  const value = fieldIn(fields, name)
  return typeof value === 'number' ? value : 0
}

function textIn(fields: unknown, name: string): string {
  const value = fieldIn(fields, name)
  return typeof value === 'string' ? value : ''
}

function fieldIn(fields: unknown, name: string): unknown {
  if (typeof fields !== 'object' || fields === null) return undefined
  return Object.getOwnPropertyDescriptor(fields, name)?.value
}
