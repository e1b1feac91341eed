import type { Exchange } from '../../../src/core/exchange.ts'
import type { Correlation } from '../../../src/replay/correlate/correlation.ts'
import { parseRule, ruleText } from '../../../src/replay/correlate/rules.ts'
import { exchange, message, response } from '../../support/exchanges.ts'
import type { Run } from '../recordings.ts'
import { recording, recordingInfo, runOf } from '../recordings.ts'

const MS = 1e6

/** One request of a session and its reply, by default 5 ms later. */
export interface Step {
  readonly atMs: number
  readonly ask: string
  readonly lines?: readonly string[]
  readonly body?: string
  readonly reply?: object
  readonly replyLines?: readonly string[]
  readonly session?: string
  readonly connection?: number
  readonly tookMs?: number
}

function step({
  atMs,
  ask,
  lines = [],
  body = '',
  reply,
  replyLines = [],
  session = '',
  connection = 0,
  tookMs = 5,
}: Step): Exchange {
  const doneNs = (atMs + tookMs) * MS
  const type = body.startsWith('{')
    ? ['Content-Type: application/json']
    : ['Content-Type: application/x-www-form-urlencoded']
  const json = reply === undefined ? '' : JSON.stringify(reply)
  const head = ['HTTP/1.1 200 OK', 'Content-Type: application/json', ...replyLines]
  return exchange({
    connection,
    session,
    request: message([`${ask} HTTP/1.1`, 'Host: shop', ...lines, ...(body === '' ? [] : type)], body),
    requestFirstNs: atMs * MS,
    requestLastNs: atMs * MS,
    response: response(head, json, { firstNs: doneNs, lastNs: doneNs }),
  })
}

/** Surveys and schedules these requests, each sent as soon as it was recorded. */
export async function learn(
  steps: readonly Step[],
  correlate: { rules?: readonly string[]; forbidden?: readonly string[] } = {},
  allowWrites = true,
): Promise<Run & { readonly correlation: Correlation; readonly rules: readonly string[] }> {
  const sorted = steps.toSorted((a, b) => a.atMs - b.atMs).map((one, id) => ({ ...step(one), id }))
  const run = await runOf([recording(recordingInfo(), sorted)], {
    permissions: { allowWrites, keepReplayed: false },
    correlate: {
      rules: (correlate.rules ?? []).map((text) => parseRule(text, 'test')),
      forbidden: correlate.forbidden ?? [],
    },
  })
  const { correlation } = run.survey
  if (correlation === undefined) throw new Error('nothing was learnt')
  return { ...run, correlation, rules: correlation.rules.map(ruleText) }
}
