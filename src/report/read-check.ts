import { CHECK_MODES } from '../measure/reply-check.ts'
import type { BodyCheck, FieldDifference, ReplyCheck, StatusChange } from '../measure/reply-check.ts'
import { JsonFields, numberAt } from './json-fields.ts'

/** Reads what comparing replies found. */
export function readCheck(fields: JsonFields): ReplyCheck {
  return {
    mode: fields.oneOf('mode', CHECK_MODES),
    replies: fields.number('replies'),
    comparable: fields.number('comparable'),
    changed: fields.number('changed'),
    changes: fields.list('changes', readChange),
    moreChanged: fields.number('moreChanged'),
    ...(fields.has('bodies') ? { bodies: readBodies(fields.object('bodies')) } : {}),
  }
}

function readChange(value: unknown, where: string): StatusChange {
  const fields = new JsonFields(value, where)
  return {
    route: fields.text('route'),
    recorded: fields.number('recorded'),
    now: fields.number('now'),
    count: fields.number('count'),
  }
}

function readBodies(fields: JsonFields): BodyCheck {
  return {
    compared: fields.number('compared'),
    same: fields.number('same'),
    differing: fields.number('differing'),
    noisy: fields.number('noisy'),
    notCompared: fields.record('notCompared', numberAt),
    fields: fields.list('fields', readDifference),
    moreFields: fields.number('moreFields'),
    noise: fields.list('noise', (value, where) => {
      const one = new JsonFields(value, where)
      return { route: one.text('route'), field: one.text('field') }
    }),
    routes: fields.list('routes', (value, where) => {
      const one = new JsonFields(value, where)
      return { route: one.text('route'), compared: one.number('compared'), differing: one.number('differing') }
    }),
  }
}

function readDifference(value: unknown, where: string): FieldDifference {
  const fields = new JsonFields(value, where)
  const example = fields.objectOrNull('example')
  return {
    route: fields.text('route'),
    field: fields.text('field'),
    kind: fields.text('kind'),
    count: fields.number('count'),
    example: example === null ? null : { recorded: example.text('recorded'), now: example.text('now') },
  }
}
