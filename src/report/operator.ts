import { formatDurationNs } from '../core/units.ts'

/** An operator changed the load of a run: from `atNs` of it on its schedule went at `speed`; 0: it was paused, 1: as planned. */
export interface OperatorChange {
  readonly atNs: number
  readonly speed: number
}

/** Changes that are told; a hundred keystrokes say no more than the last of them. */
const MAX_TOLD = 12

/** `paused it at 12s, let it go on at 17s, sent 1.1x the planned rate from 20s on`; '' where nothing was changed. */
export function operatorText(changes: readonly OperatorChange[]): string {
  const told = changes.slice(0, MAX_TOLD).map(({ atNs, speed }, index) => {
    const at = formatDurationNs(Math.round(atNs / 1e8) * 1e8)
    if (speed === 0) return `paused it at ${at}`
    const rate = speed === 1 ? 'the planned rate' : `${Number(speed.toPrecision(3))}x the planned rate`
    return changes[index - 1]?.speed === 0 ? `let it go on at ${at} at ${rate}` : `sent ${rate} from ${at} on`
  })
  const left = changes.length - told.length
  return [...told, ...(left > 0 ? [`made ${left} more changes`] : [])].join(', ')
}
