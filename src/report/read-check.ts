import { CHECK_MODES } from '../measure/reply-check.ts'
import type { BodyCheck, FieldDifference, ReplyCheck, StatusChange } from '../measure/reply-check.ts'
import { JsonFields, numberAt } from './json-fields.ts'

/** Reads what comparing replies found. */
export function readCheck(fields: JsonFields): ReplyCheck {
  return {
    mode: fields.oneOf('mode', CHECK_MODES),
    ...fields.numbers('replies', 'comparable', 'changed'),
    changes: fields.list('changes', readChange),
    moreChanged: fields.number('moreChanged'),
    ...(fields.has('bodies') ? { bodies: readBodies(fields.object('bodies')) } : {}),
  }
}

function readChange(value: unknown, where: string): StatusChange {
  const fields = new JsonFields(value, where)
  return { route: fields.text('route'), ...fields.numbers('recorded', 'now', 'count') }
}

function readBodies(fields: JsonFields): BodyCheck {
  return {
    ...fields.numbers('compared', 'same', 'differing', 'noisy'),
    notCompared: fields.record('notCompared', numberAt),
    fields: fields.list('fields', readDifference),
    moreFields: fields.number('moreFields'),
    noise: fields.list('noise', (value, where) => new JsonFields(value, where).texts('route', 'field')),
    routes: fields.list('routes', (value, where) => {
      const one = new JsonFields(value, where)
      return { route: one.text('route'), ...one.numbers('compared', 'differing') }
    }),
  }
}

function readDifference(value: unknown, where: string): FieldDifference {
  const fields = new JsonFields(value, where)
  const example = fields.objectOrNull('example')
  return {
    ...fields.texts('route', 'field', 'kind'),
    count: fields.number('count'),
    example: example === null ? null : example.texts('recorded', 'now'),
  }
}
