import type { Exchange } from '../../core/exchange.ts'
import type { ReplayInput } from '../options.ts'
import { applyEdit, type EditRule } from './edit-rule.ts'
import { RequestDraft } from './request-draft.ts'
import type { RequestHook } from './request-hook.ts'

/** Requests that a hook gets in one go, so that being able to end it costs little. */
const BLOCK_REQUESTS = 64

/** What is changed in recorded requests before anything is planned or learnt: rules in their order, then the hook. */
export interface Edits {
  readonly rules: readonly EditRule[]
  readonly hook: RequestHook | undefined
}

/** What edits did in one pass over the recordings. */
export interface EditCounts {
  requests: number
  changed: number
  /** By the hook. */
  leftOut: number
  /** By rule: requests that it changed. */
  readonly byRule: number[]
}

export function noEditCounts({ rules }: Edits): EditCounts {
  return { requests: 0, changed: 0, leftOut: 0, byRule: rules.map(() => 0) }
}

/**
 * A recording whose requests are edited. Routes, sessions and correlations are those of the edited requests; a recorded reply stays
 * what it was. `counts` is counted up.
 */
export function editedInput(input: ReplayInput, edits: Edits, counts: EditCounts): ReplayInput {
  const { info } = input
  const draftOf = (exchange: Exchange): RequestDraft => {
    const at = new Date(Number(info.originUnixNs / 1_000_000n) + exchange.requestFirstNs / 1e6)
    return new RequestDraft(exchange, at, info.host)
  }
  const finish = function* (block: readonly Exchange[]): Iterable<Exchange> {
    const drafts = block.map(draftOf)
    for (const draft of drafts) applyRules(edits.rules, draft, counts)
    const sent = edits.hook?.run(drafts)
    for (const [index, exchange] of block.entries()) {
      counts.requests++
      const draft = drafts[index]
      if (sent?.[index] === false || draft === undefined) {
        counts.leftOut++
        continue
      }
      const request = draft.finish(edits.hook?.file ?? '--rewrite')
      if (request !== exchange.request) counts.changed++
      yield request === exchange.request ? exchange : { ...exchange, request }
    }
  }
  return {
    info,
    async *exchanges(range, signal) {
      let block: Exchange[] = []
      for await (const exchange of input.exchanges(range, signal)) {
        block.push(exchange)
        if (block.length < BLOCK_REQUESTS) continue
        yield* finish(block)
        block = []
      }
      yield* finish(block)
    },
  }
}

function applyRules(rules: readonly EditRule[], draft: RequestDraft, counts: EditCounts): void {
  for (const [index, rule] of rules.entries()) {
    if (applyEdit(rule, draft)) counts.byRule[index] = (counts.byRule[index] ?? 0) + 1
  }
}
