import { SHOT_ERRORS } from '../core/outcome.ts'
import { JsonFields } from './json-fields.ts'
import type { SlowExchange } from './run.ts'

/** Reads one of the slowest exchanges of a run. */
export function readSlowExchange(value: unknown, where: string): SlowExchange {
  const fields = new JsonFields(value, where)
  const recorded = fields.objectOrNull('recorded')
  return {
    ...fields.numbers('atNs', 'responseNs', 'serviceNs', 'blockedNs', 'lagNs', 'status'),
    error: fields.oneOf('error', SHOT_ERRORS),
    route: fields.text('route'),
    clone: fields.number('clone'),
    recorded: recorded === null ? null : readRecorded(recorded),
  }
}

function readRecorded(fields: JsonFields): SlowExchange['recorded'] {
  return {
    ...fields.texts('request', 'requestId', 'host', 'at'),
    ...fields.numbers('exchange', 'connection'),
    session: fields.text('session'),
  }
}
