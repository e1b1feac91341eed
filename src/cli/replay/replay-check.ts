import type { IgnoreRule } from '../../compare/ignore.ts'
import { compileIgnore } from '../../compare/ignore.ts'
import { monotonicNs } from '../../core/clock.ts'
import { MeshError } from '../../core/errors.ts'
import { createExampleMasker } from '../../mask/masker.ts'
import type { CheckMode } from '../../measure/reply-check.ts'
import { BodyComparison } from '../../replay/check/body-check.ts'
import { IssuingFields } from '../../replay/check/issuing-fields.ts'
import { StatusTotals } from '../../replay/check/status-totals.ts'
import type { FleetCheck } from '../../replay/fleet.ts'
import type { ScheduleOptions } from '../../replay/options.ts'
import { mostAmplified } from '../../replay/stages.ts'
import type { Survey } from '../../replay/survey.ts'
import type { CheckFindings } from '../../report/describe-run.ts'
import type { Config } from '../config.ts'
import type { FlagValues } from '../flags.ts'
import type { ReplayFlags } from './replay-flags.ts'
import { recordedMaskRules } from '../unsealing.ts'

/** What is to be compared, and which fields are left out. */
export interface CheckSettings {
  readonly mode: CheckMode
  readonly ignored: IgnoreRule
}

/**
 * Reads the settings of the response check; undefined where none was asked for.
 * @throws MeshError MESH_ERR_USAGE for an ignore rule that is none, and for one without --check body.
 */
export function checkSettingsOf(
  { check, ignore }: FlagValues<ReplayFlags>,
  config: Config | undefined,
): CheckSettings | undefined {
  const inFile = compileIgnore(config?.compare.ignore ?? [], `${config?.file ?? ''}: compare.ignore`)
  const inFlags = compileIgnore(ignore, '--ignore')
  if (ignore.length > 0 && check !== 'body') {
    const what = '--ignore leaves fields of replies out, and none are compared'
    throw new MeshError('MESH_ERR_USAGE', { what, where: '--ignore', remedy: 'give --check body too' })
  }
  if (check === undefined) return undefined
  return { mode: check, ignored: (route, field) => inFlags(route, field) || inFile(route, field) }
}

/** The response check of a run: what chooses replies, what the sending threads report to, and what was found so far. */
export interface RunCheck {
  readonly bodies: BodyComparison | undefined
  readonly fleet: FleetCheck
  readonly findings: () => CheckFindings
}

/** Puts the response check of a run together; undefined where none was asked for. */
export function responseCheckOf(
  settings: CheckSettings | undefined,
  options: ScheduleOptions,
  survey: Survey,
): RunCheck | undefined {
  if (settings === undefined) return undefined
  const { mode } = settings
  const statuses = new StatusTotals()
  const bodies = mode === 'body' ? bodyComparisonOf(settings, options, survey) : undefined
  return {
    bodies,
    fleet: {
      mode,
      onStatuses: (numbers) => statuses.add(numbers),
      onReplies: (replies) => bodies?.judge(replies),
    },
    findings: () => ({
      mode,
      changes: statuses.rows(options.routes.names),
      ...(bodies === undefined ? {} : { bodies: bodies.report() }),
    }),
  }
}

function bodyComparisonOf({ ignored }: CheckSettings, options: ScheduleOptions, survey: Survey): BodyComparison {
  const { keepHost, authority } = options.rewrite
  return new BodyComparison({
    masker: createExampleMasker(recordedMaskRules(survey.recordings.map(({ info }) => info))),
    ignored,
    issuing: new IssuingFields(survey.correlation?.rules ?? []),
    authority: keepHost ? undefined : authority,
    hasClones: mostAmplified(options) > 1 || options.ending === 'loop',
    nowNs: monotonicNs,
  })
}
