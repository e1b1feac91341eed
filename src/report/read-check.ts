import { CHECK_MODES } from '../measure/reply-check.ts'
import type { ReplyCheck, StatusChange } from '../measure/reply-check.ts'
import { JsonFields } from './json-fields.ts'

/** Reads what comparing replies found. */
export function readCheck(fields: JsonFields): ReplyCheck {
  return {
    mode: fields.oneOf('mode', CHECK_MODES),
    replies: fields.number('replies'),
    comparable: fields.number('comparable'),
    changed: fields.number('changed'),
    changes: fields.list('changes', readChange),
    moreChanged: fields.number('moreChanged'),
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
