import { formatCount, formatMany } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import type { Correlation } from '../../replay/correlate/correlation.ts'
import type { Rule } from '../../replay/correlate/rules.ts'
import { ruleText } from '../../replay/correlate/rules.ts'

/** Rules shown without `--json`. */
const MAX_RULES_SHOWN = 100

/** What was learnt of a recording, one rule a line, each as `mesh.yaml` takes it. */
export function correlationsText({ rules }: Correlation): string {
  if (rules.length === 0) return 'no value of a request was found in an earlier reply of its session\n'
  const lines = [
    `${formatMany(rules.length, 'rule')}: what a reply issues, and where requests of the session send it back`,
    ...rules
      .slice(0, MAX_RULES_SHOWN)
      .flatMap((rule) => [visible(`  ${ruleText(rule)}`), `      ${evidenceText(rule)}`]),
  ]
  if (rules.length > MAX_RULES_SHOWN)
    lines.push(`  and ${formatCount(rules.length - MAX_RULES_SHOWN)} more (--json shows all)`)
  return `${lines.join('\n')}\n`
}

/** `certain: 156 requests of 12 sessions`. */
function evidenceText({ confidence, hits, misses, sessions, values }: Rule): string {
  const distinct = values >= 8 ? '8 or more' : formatCount(values)
  const against = misses === 0 ? '' : `, ${formatCount(misses)} against it`
  return `${confidence}: ${formatMany(hits, 'request')} of ${formatMany(sessions, 'session')}, ${distinct} values${against}`
}

/** The same for `--json`. */
export function correlationsJson({ rules }: Correlation): object {
  return { rules: rules.map((rule) => ({ rule: ruleText(rule), ...rule })) }
}
