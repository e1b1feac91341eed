import { MeshError } from '../../core/errors.ts'
import { nearestName } from '../../core/nearest.ts'
import { formatCount } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import type { CheckMode } from '../reply-check.ts'
import { samplesFor } from '../figures.ts'
import type { Gate } from './gate.ts'

/** Routes that are listed to who named another. */
const MAX_ROUTES_SHOWN = 5

/** What is known of a run before its first shot. */
export interface PlannedRun {
  readonly loop: 'open' | 'closed'
  readonly routeNames: readonly string[]
  /** What of replies is compared; undefined: nothing but their status. */
  readonly check?: CheckMode | undefined
  /** What the run is compared with. Default: nothing. */
  readonly comparedWith?: 'baseline' | 'history' | undefined
}

/** Refuses gates that this run cannot answer. @throws MeshError MESH_ERR_USAGE with the nearest route there is. */
export function checkGates(gates: readonly Gate[], { loop, routeNames, check, comparedWith }: PlannedRun): void {
  for (const gate of gates) {
    const where = `gate "${visible(gate.text)}"`
    if (gate.route !== undefined && !routeNames.includes(gate.route)) {
      const what = `no route "${visible(gate.route)}" in what is replayed`
      throw new MeshError('MESH_ERR_USAGE', { what, where, remedy: routeRemedy(gate.route, routeNames) })
    }
    const { kind } = gate.limit
    if ((kind === 'history' || kind === 'baseline') && kind !== comparedWith) {
      const [missing, flag] =
        kind === 'history' ? ['earlier runs were', '--against DIR'] : ['baseline was', '--baseline URL']
      const what = `it compares with ${kind}, and no ${missing} given`
      throw new MeshError('MESH_ERR_USAGE', { what, where, remedy: `give ${flag}, or compare with a value` })
    }
    if (gate.metric.name === 'body_mismatch_rate' && check !== 'body') {
      const what = 'bodies are not compared in this run'
      throw new MeshError('MESH_ERR_USAGE', { what, where, remedy: 'give --check body, or gate mismatch_rate' })
    }
    if (loop === 'closed' && needsDueTimes(gate)) {
      const what = `in a closed loop nothing is due: there is no ${gate.limit.kind === 'target' ? 'target' : gate.metric.name}`
      throw new MeshError('MESH_ERR_USAGE', { what, where, remedy: 'leave --speed max out, or the gate' })
    }
  }
}

function routeRemedy(route: string, routeNames: readonly string[]): string {
  const near = nearestName(route, routeNames)
  if (near !== undefined) return `did you mean ${visible(near)}?`
  const shown = routeNames.slice(0, MAX_ROUTES_SHOWN).map(visible).join(', ')
  const more = routeNames.length - MAX_ROUTES_SHOWN
  return `routes are ${shown}${more > 0 ? ` and ${formatCount(more)} more` : ''}`
}

function needsDueTimes({ limit, metric }: Gate): boolean {
  const { quantity } = metric
  return (
    limit.kind === 'target' || ('latency' in quantity && (quantity.latency === 'lag' || quantity.latency === 'blocked'))
  )
}

/**
 * One line for each gate that so few shots cannot answer: its quantile would rest on too little. `moreSamples` says how a run gets so many
 * times as many.
 */
export function sampleWarnings(
  gates: readonly Gate[],
  shots: number,
  moreSamples: (factor: number) => string = () => 'run longer, multiply',
): readonly string[] {
  return gates.flatMap((gate) => {
    const { quantity } = gate.metric
    if (quantity.kind !== 'quantile' || gate.abortAfterSeconds !== undefined) return []
    const needed = samplesFor(quantity.quantile)
    if (shots >= needed) return []
    const remedy = `${moreSamples(needed / shots)}, or gate a lower quantile`
    return [
      `gate "${visible(gate.text)}" needs ${formatCount(needed)} samples, and ${formatCount(Math.round(shots))} requests are planned: ${remedy}`,
    ]
  })
}
