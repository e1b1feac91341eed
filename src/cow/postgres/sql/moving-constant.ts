/**
 * What may be a constant that means another time whenever it is read, as `'today'` is (PostgreSQL manual 8.5.1.4), or a string with
 * escapes, which may spell one.
 */
const MOVING = /\b(?:now|today|tomorrow|yesterday)\b(?!\s*\()|\b(?:e|u&)'/i

/** A text may have a constant in it whose value is the clock's when the statement is parsed. */
export function mayHaveMovingConstant(text: string): boolean {
  return MOVING.test(text)
}
