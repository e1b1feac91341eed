import { type Comparison, type Finding, FINDING_ANSWERS } from '../measure/comparison/finding.ts'
import { JsonFields } from './json-fields.ts'

/** Reads from a run what it was compared with. */
export function readComparison(fields: JsonFields): Comparison {
  return {
    with: fields.oneOf('with', ['baseline', 'history']),
    name: fields.text('name'),
    ...fields.numbers('used', 'needed'),
    blockNs: fields.numberOrNull('blockNs'),
    skipped: fields.list('skipped', (value, where) => new JsonFields(value, where).texts('name', 'why')),
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
