import { SHOT_ERRORS } from '../core/outcome.ts'
import { JsonFields } from './json-fields.ts'
import type { SlowExchange } from './run.ts'

/** Reads one of the slowest exchanges of a run. */
export function readSlowExchange(value: unknown, where: string): SlowExchange {
  const fields = new JsonFields(value, where)
  const recorded = fields.objectOrNull('recorded')
  return {
    atNs: fields.number('atNs'),
    responseNs: fields.number('responseNs'),
    serviceNs: fields.number('serviceNs'),
    blockedNs: fields.number('blockedNs'),
    lagNs: fields.number('lagNs'),
    status: fields.number('status'),
    error: fields.oneOf('error', SHOT_ERRORS),
    route: fields.text('route'),
    clone: fields.number('clone'),
    recorded:
      recorded === null
        ? null
        : {
            request: recorded.text('request'),
            requestId: recorded.text('requestId'),
            host: recorded.text('host'),
            at: recorded.text('at'),
            exchange: recorded.number('exchange'),
            connection: recorded.number('connection'),
            session: recorded.text('session'),
          },
  }
}
