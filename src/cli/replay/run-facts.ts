import type { Gate } from '../../measure/gates/gate.ts'
import { shownEditRule } from '../../replay/edit/edit-rule.ts'
import { stagesText, stageText } from '../../replay/parse-stages.ts'
import type { Plan } from '../../replay/plan.ts'
import type { Stages } from '../../replay/stages.ts'
import type { Survey } from '../../replay/survey.ts'
import type { RunPlan, RunRequest } from '../../report/run.ts'
import type { PlannedReplay } from './planned-replay.ts'

/** Values that are credentials as often as not, and files of keys. */
const SECRET_OPTIONS: ReadonlySet<string> = new Set(['header', 'key', 'jwtKey', 'authCommand', 'unseal'])

/** What was asked for, for `run.json`. Values of headers stay out: they are credentials as often as not. */
export function runRequestOf({
  plan,
  url,
  flags,
  sending,
}: Pick<PlannedReplay, 'plan' | 'url' | 'flags' | 'sending'>): RunRequest {
  const options: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(flags)) {
    if (SECRET_OPTIONS.has(name) || value === undefined || value === false) continue
    if (name === 'rewrite') options[name] = flags.rewrite.map(shownEditRule).join(',')
    else options[name] = typeof value === 'object' ? listText(value) : value
  }
  return {
    command: shownWords(process.argv.slice(2)),
    target: withoutUserInfo(url),
    recordings: plan.recordings.map(({ recordingId, host, service, exchanges, spanNs }) => {
      return { recordingId, host, service, requests: exchanges, spanNs }
    }),
    options,
    sending,
  }
}

function listText(value: readonly (string | Gate)[] | Stages): string {
  return 'kind' in value ? stagesText(value) : value.map(textOf).join(',')
}

function textOf(value: string | Gate): string {
  return typeof value === 'string' ? value : value.text
}

/** A command line that may be shown: of a header or a rule only its name is left, of a command that prints one nothing. */
function shownWords(words: readonly string[]): readonly string[] {
  return words.map((word, index) => {
    const before = words[index - 1]
    if (before === '--auth-command') return '...'
    if (word.startsWith('--auth-command=')) return '--auth-command=...'
    if (before === '--rewrite') return shownEditRule(word)
    if (word.startsWith('--rewrite=')) return `--rewrite=${shownEditRule(word.slice('--rewrite='.length))}`
    // `-kH 'name: value'` is `-k -H ..`, as in curl.
    if (/^(?:-[a-zA-Z]*H|--header)$/.test(before ?? '')) return `${word.split(':', 1)[0]}: ...`
    if (/^(?:-[a-zA-Z]*H|--header=)./.test(word)) return `${word.split(':', 1)[0]}: ...`
    return withoutUserInfo(word)
  })
}

function withoutUserInfo(text: string): string {
  return text.replace(/^(https?:\/\/)[^/@]*@/, '$1')
}

function stagesOf({ stages }: Plan): Pick<RunPlan, 'stages'> {
  if (stages === undefined) return {}
  const list = stages.list.map((stage) => ({ name: stageText(stages.kind, stage), ...stage }))
  return { stages: { ...stages, list } }
}

/** What of the load is masked. Where nothing is correlated, the target knows none of the masked values. */
export function maskedOf({ recordings, maskedShare }: Plan, { correlation }: Survey): Pick<RunPlan, 'masked'> {
  const sends = recordings.reduce((sum, recording) => sum + recording.sends, 0)
  const logins = correlation?.maskedLogins ?? 0
  const strangerShare = correlation === undefined ? maskedShare : correlation.maskedStrangers / Math.max(1, sends)
  return logins === 0 && strangerShare === 0 ? {} : { masked: { logins, strangerShare } }
}

/** The plan, for `run.json`: null where it has no end or no rate, which JSON has no number for. */
export function runPlanOf(plan: Plan, survey: Survey): RunPlan {
  const finite = (value: number | undefined): number | null =>
    value === undefined || value === Infinity ? null : value
  const ends = plan.recordings.map(({ offsetNs, spanNs }) => offsetNs + spanNs)
  return {
    loop: plan.speed === 'max' ? 'closed' : 'open',
    amplify: plan.amplify,
    ...stagesOf(plan),
    speed: plan.speed,
    shots: finite(plan.shots),
    durationNs: finite(plan.durationNs),
    meanPerSecond: finite(plan.meanPerSecond),
    peakPerSecond: finite(plan.peakPerSecond),
    recordedSpanNs: Math.min(plan.endNs, Math.max(0, ...ends)),
    heldBack: Object.fromEntries(survey.heldBack),
    notReplayable: Object.fromEntries(survey.notReplayable),
    maskedShare: plan.maskedShare,
    ...maskedOf(plan, survey),
    warnings: plan.warnings,
  }
}
