import type { Random } from '../../src/core/random.ts'

/** A standard normal value (Box and Muller). */
export function normalValue(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
