import type { RecordingReader } from '../../core/recording.ts'
import { formatCount, formatMany } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import { type EditCounts, editedInput, type Edits, noEditCounts } from '../../replay/edit/edited-input.ts'
import { parseEditRule, shownEditRule } from '../../replay/edit/edit-rule.ts'
import { RequestHook } from '../../replay/edit/request-hook.ts'
import type { ReplayInput } from '../../replay/options.ts'
import { compileMatch } from '../../select/match.ts'
import type { Config } from '../config.ts'
import type { FlagValues } from '../flags.ts'
import type { ReplayFlags } from './replay-flags.ts'

/** What of the recordings is replayed, and what was made of it when it was read for the plan. */
export interface ReplayInputs {
  readonly inputs: readonly ReplayInput[]
  /** Lines for under the plan; call it once the plan is made. */
  planLines(): readonly string[]
  /** Rules that changed no request. */
  idleRules(): readonly string[]
}

/**
 * The recordings with what `--match` leaves of them, edited by `rewrite:` of the settings file, `--rewrite` and `--hook`.
 *
 * @throws MeshError where an expression, a rule or a hook is none.
 */
export async function replayInputs(
  readers: readonly RecordingReader[],
  flags: FlagValues<ReplayFlags>,
  config: Config | undefined,
): Promise<ReplayInputs> {
  const matching = flags.match === undefined ? readers : matchingInputs(readers, flags.match)
  const rules = [
    ...(config?.rewrite ?? []).map((text, index) => parseEditRule(text, `${config?.file ?? ''}: rewrite[${index}]`)),
    ...flags.rewrite.map((text) => parseEditRule(text, '--rewrite')),
  ]
  const hook = flags.hook === undefined ? undefined : await RequestHook.load(flags.hook)
  const edits: Edits = { rules, hook }
  if (rules.length === 0 && hook === undefined) {
    return { inputs: matching, planLines: () => [], idleRules: () => [] }
  }
  const counts = noEditCounts(edits)
  return {
    inputs: matching.map((input) => editedInput(input, edits, counts)),
    planLines: () => planLines(edits, counts),
    idleRules: () => rules.filter((_, index) => counts.byRule[index] === 0).map(({ text }) => shownEditRule(text)),
  }
}

/** Recordings of which only what matches is replayed. */
function matchingInputs(readers: readonly RecordingReader[], text: string): readonly ReplayInput[] {
  const matcher = compileMatch(text)
  return readers.map((reader) => ({
    info: reader.info,
    async *exchanges(range, signal) {
      for await (const exchange of reader.exchanges(range, signal)) if (matcher.matches(exchange)) yield exchange
    },
  }))
}

function planLines({ rules, hook }: Edits, { requests, changed, leftOut }: EditCounts): readonly string[] {
  const by = [
    ...(rules.length === 0 ? [] : [formatMany(rules.length, 'rule')]),
    ...(hook === undefined ? [] : [visible(hook.file)]),
  ].join(' and ')
  const out = leftOut === 0 ? '' : `, ${formatCount(leftOut)} left out`
  return [`  rewritten  ${formatCount(changed)} of ${formatCount(requests)} requests by ${by}${out}`]
}
