/** What a ledger counts. */
export const LEDGER_UNITS = ['connections', 'requests', 'responses', 'bytes'] as const
export type LedgerUnit = (typeof LEDGER_UNITS)[number]

/**
 * What became of each thing that was seen. Exactly one fate a thing:
 * `whole` in the recording, complete; `cut` in it, not complete; `filtered` left out by `--match` or as replayed traffic;
 * `sampled` left out by `--sample`; `gap` its bytes were never captured; `midStream` began before the capture did;
 * `opaque` not of a protocol we decode (TLS, HTTP/2, after an Upgrade); `undecodable` its framing cannot be trusted;
 * `dropped` lost by us: a full ring, the kernel, a full disk; `framing` (bytes only) chunk sizes and the like, which
 * carry no content; `pending` seen and not yet decided.
 */
export const LEDGER_FATES = [
  'whole',
  'cut',
  'filtered',
  'sampled',
  'gap',
  'midStream',
  'opaque',
  'undecodable',
  'dropped',
  'framing',
  'pending',
] as const
export type LedgerFate = (typeof LEDGER_FATES)[number]

/** The counts of one unit. In a delta they may be negative (`pending` falls when something is decided). */
export type LedgerRow = { seen: number } & { [fate in LedgerFate]: number }

/** A ledger: `seen` equals the sum of the fates, for each unit. `reasons` break fates down: `requests.undecodable.two-lengths`. */
export interface Ledger {
  readonly connections: LedgerRow
  readonly requests: LedgerRow
  readonly responses: LedgerRow
  readonly bytes: LedgerRow
  readonly reasons: Map<string, number>
}

export function emptyLedger(): Ledger {
  return { connections: row(), requests: row(), responses: row(), bytes: row(), reasons: new Map() }
}

const ZERO_ROW: LedgerRow = {
  seen: 0,
  whole: 0,
  cut: 0,
  filtered: 0,
  sampled: 0,
  gap: 0,
  midStream: 0,
  opaque: 0,
  undecodable: 0,
  dropped: 0,
  framing: 0,
  pending: 0,
}

function row(): LedgerRow {
  return { ...ZERO_ROW }
}

/** Adds `delta` to `total`, in place. Sums of deltas are the total: addition is all that a reader needs. */
export function addLedger(total: Ledger, delta: Ledger): void {
  for (const unit of LEDGER_UNITS) {
    total[unit].seen += delta[unit].seen
    for (const fate of LEDGER_FATES) total[unit][fate] += delta[unit][fate]
  }
  for (const [reason, count] of delta.reasons) total.reasons.set(reason, (total.reasons.get(reason) ?? 0) + count)
}

/** `seen` less the sum of the fates, for each unit that does not balance; empty when the ledger does. */
export function ledgerImbalance(ledger: Ledger): ReadonlyMap<LedgerUnit, number> {
  const off = new Map<LedgerUnit, number>()
  for (const unit of LEDGER_UNITS) {
    const counts = ledger[unit]
    let explained = 0
    for (const fate of LEDGER_FATES) explained += counts[fate]
    if (explained !== counts.seen) off.set(unit, counts.seen - explained)
  }
  return off
}

/**
 * A ledger that is being kept. Things are seen as `pending`, and each is settled to its fate exactly once;
 * `takeDelta` gives what changed since the last call, for the end of a chunk.
 */
export class LedgerKeeper {
  #delta = emptyLedger()
  readonly #total = emptyLedger()

  /** `count` more things were seen; they are pending. */
  see(unit: LedgerUnit, count = 1): void {
    this.#delta[unit].seen += count
    this.#delta[unit].pending += count
  }

  /** `count` pending things are settled. A reason, where given, is counted under the fate. */
  settle(unit: LedgerUnit, fate: Exclude<LedgerFate, 'pending'>, count = 1, reason?: string): void {
    this.#delta[unit].pending -= count
    this.#delta[unit][fate] += count
    if (reason !== undefined) this.note(`${unit}.${fate}.${reason}`, count)
  }

  /** Counts a reason on its own: a fact beside the balance (CEL evaluation errors, late responses). */
  note(reason: string, count = 1): void {
    const { reasons } = this.#delta
    reasons.set(reason, (reasons.get(reason) ?? 0) + count)
  }

  /** What changed since the last call. The caller owns it. */
  takeDelta(): Ledger {
    const delta = this.#delta
    addLedger(this.#total, delta)
    this.#delta = emptyLedger()
    return delta
  }

  /** Everything so far, as a copy. */
  total(): Ledger {
    const sum = emptyLedger()
    addLedger(sum, this.#total)
    addLedger(sum, this.#delta)
    return sum
  }
}
