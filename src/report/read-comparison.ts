import { type Comparison, type Finding, FINDING_ANSWERS } from '../measure/comparison/finding.ts'
import { JsonFields } from './json-fields.ts'

/** Reads from a run what it was compared with. */
export function readComparison(fields: JsonFields): Comparison {
  return {
    with: fields.oneOf('with', ['baseline', 'history']),
    name: fields.text('name'),
    used: fields.number('used'),
    needed: fields.number('needed'),
    blockNs: fields.numberOrNull('blockNs'),
    skipped: fields.list('skipped', (value, where) => {
      const skipped = new JsonFields(value, where)
      return { name: skipped.text('name'), why: skipped.text('why') }
    }),
    findings: fields.list('findings', readFinding),
  }
}

function readFinding(value: unknown, where: string): Finding {
  const fields = new JsonFields(value, where)
  return {
    route: fields.textOrNull('route'),
    metric: fields.text('metric'),
    unit: fields.oneOf('unit', ['ns', 'ratio']),
    before: fields.numberOrNull('before'),
    now: fields.numberOrNull('now'),
    change: fields.numberOrNull('change'),
    low: fields.numberOrNull('low'),
    high: fields.numberOrNull('high'),
    pValue: fields.numberOrNull('pValue'),
    answer: fields.oneOf('answer', FINDING_ANSWERS),
  }
}
