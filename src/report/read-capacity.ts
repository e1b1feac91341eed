import { CAPACITY_ENDS, type CapacityResult, type CapacityStep } from '../measure/capacity/result.ts'
import { STEP_OUTCOMES } from '../measure/capacity/search.ts'
import { JsonFields, textAt } from './json-fields.ts'
import { readFigures } from './read-figures.ts'

/** Reads what a search found from a run. */
export function readCapacity(fields: JsonFields): CapacityResult {
  return {
    gates: fields.list('gates', textAt),
    ...fields.numbers('basePerSecond', 'stepNs'),
    multiplier: fields.numberOrNull('multiplier'),
    low: fields.numberOrNull('low'),
    high: fields.numberOrNull('high'),
    limitedBy: fields.oneOf('limitedBy', CAPACITY_ENDS),
    why: fields.text('why'),
    check: fields.textOrNull('check') === null ? null : fields.oneOf('check', STEP_OUTCOMES),
    knee: fields.numberOrNull('knee'),
    steps: fields.list('steps', readStep),
  }
}

function readStep(value: unknown, where: string): CapacityStep {
  const fields = new JsonFields(value, where)
  return {
    ...fields.numbers('multiplier', 'sustained', 'perSecond'),
    outcome: fields.oneOf('outcome', STEP_OUTCOMES),
    tries: fields.number('tries'),
    isCheck: fields.flag('isCheck'),
    what: fields.text('what'),
    ...fields.numbers('offered', 'errors'),
    responseTime: readFigures(fields.object('responseTime')),
  }
}
