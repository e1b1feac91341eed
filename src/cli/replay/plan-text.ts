import { formatCount, formatDurationNs, formatMany, formatRate } from '../../core/units.ts'
import { visible } from '../../core/visible.ts'
import type { MultiplierStep } from '../../replay/layout.ts'
import { stageText } from '../../replay/parse-stages.ts'
import type { Plan } from '../../replay/plan.ts'
import { alignRight } from '../ledger-text.ts'
import { isoTime } from '../inspect/inspection-text.ts'

/** Recordings that begin or end in the first second are taken as beginning together. */
const isNotable = ({ fromNs }: MultiplierStep): boolean => fromNs > 1e9
const MAX_STEPS_SHOWN = 8

/** A plan as text: what will be sent, how fast, what will not be sent and why, and what to expect. */
export function planText(plan: Plan, target: string): string {
  const rows = plan.recordings.map((recording) => [
    visible(recording.host),
    isoTime(recording.fromUnixNs).slice(0, 19),
    formatDurationNs(recording.spanNs),
    formatCount(recording.sends),
    formatRate(recording.ratePerSecond),
    `+${formatDurationNs(recording.offsetNs)}`,
  ])
  const heading = ['host', 'recorded (UTC)', 'span', 'to send', 'rate', 'starts']
  const lines = [
    `plan: ${formatMany(plan.recordings.length, 'recording')} onto ${target}`,
    ...alignRight([heading, ...rows]).map((line) => `  ${line}`),
    `  alignment  ${plan.alignment.reason}`,
    `  sends      ${countText(plan.shots)} requests of ${formatCount(plan.sessions)} sessions, ${amplifyText(plan)}`,
    `  rate       ${rateText(plan)}`,
    ...stageLines(plan),
    ...correlationLine(plan),
    ...leftOut(plan),
    ...plan.multipliers
      .filter(isNotable)
      .slice(0, MAX_STEPS_SHOWN)
      .map(({ fromNs, recordings, multiplier }) => {
        const times = plan.stages?.kind === 'multiplier' ? 'times the stage' : 'of one host'
        return `  from ${formatDurationNs(fromNs)}: ${recordings} recordings, ${multiplier}x ${times}`
      }),
    ...plan.warnings.map((warning) => `  WARNING    ${warning}`),
  ]
  return `${lines.map(visible).join('\n')}\n`
}

function stageLines({ stages }: Plan): string[] {
  return (stages?.list ?? []).map((stage, index) => {
    const label = `stage ${index + 1}`.padEnd(10)
    const written = stageText(stages?.kind ?? 'multiplier', stage)
    if (stage.playedNs === 0) return `  ${label} ${written}  not reached: the recordings end before`
    const rate = `mean ${formatRate(stage.meanPerSecond)}, peak ${formatRate(stage.peakPerSecond)}`
    return `  ${label} ${written}  about ${formatCount(stage.shots)} requests, ${rate}`
  })
}

function amplifyText(plan: Plan): string {
  if (plan.amplify === 1) return 'each once'
  return `each ${plan.stages?.kind === 'multiplier' ? 'up to ' : ''}${plan.amplify} times${plan.jitterNs > 0 ? `, clones up to ${formatDurationNs(plan.jitterNs)} later` : ''}`
}

function rateText(plan: Plan): string {
  if (plan.speed === 'max' || plan.meanPerSecond === undefined || plan.peakPerSecond === undefined) {
    return 'as fast as the target replies'
  }
  const duration =
    plan.durationNs === undefined || plan.durationNs === Infinity
      ? 'until stopped'
      : `for ${formatDurationNs(plan.durationNs)}`
  const recorded = `recorded peak ${formatRate(plan.recordedPeakPerSecond)}`
  return `mean ${formatRate(plan.meanPerSecond)}, peak ${formatRate(plan.peakPerSecond)} (${recorded}), ${duration}`
}

function correlationLine({ correlations }: Plan): string[] {
  if (correlations === undefined || correlations === 0) return []
  const rules = formatMany(correlations, 'rule')
  return [`  correlated ${rules}: what the target issues replaces what was recorded (mesh inspect --correlations)`]
}

function leftOut(plan: Plan): string[] {
  const lines: string[] = []
  if (plan.beyondEnd > 0)
    lines.push(`  cut off    ${formatCount(plan.beyondEnd)} recorded after the run ends (--duration, --ragged, --loop)`)
  if (plan.heldBack.size > 0)
    lines.push(`  held back  ${counts(plan.heldBack)}: they would write (--allow-writes sends them)`)
  if (plan.notReplayable.size > 0) lines.push(`  cannot be  ${counts(plan.notReplayable)}`)
  if (plan.replayed > 0) lines.push(`  left out   ${formatCount(plan.replayed)} requests of an earlier replay`)
  if (plan.maskedShare > 0) {
    const percent = plan.maskedShare < 0.01 ? 'under 1' : String(Math.round(plan.maskedShare * 100))
    lines.push(
      `  masked     ${percent} % of requests carry masked credentials; they may be refused unless ${
        (plan.correlations ?? 0) > 0 ? 'the target issues them, or ' : ''
      }-H sets real ones`,
    )
  }
  return lines
}

function counts(counted: ReadonlyMap<string, number>): string {
  return [...counted].map(([name, count]) => `${formatCount(count)} ${name}`).join(', ')
}

function countText(count: number): string {
  return count === Infinity ? 'endlessly many' : formatCount(count)
}
