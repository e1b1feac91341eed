import type { RecordingReader } from '../../core/recording.ts'
import type { Gate } from '../../measure/gates/gate.ts'
import type { ScheduleOptions } from '../../replay/options.ts'
import type { Plan } from '../../replay/plan.ts'
import type { Target } from '../../replay/senders/target.ts'
import type { Survey } from '../../replay/survey.ts'
import type { FlagValues } from '../flags.ts'
import type { CheckSettings } from './replay-check.ts'
import type { ReplayFlags } from './replay-flags.ts'

/** A replay that is planned, checked and ready to go. */
export interface PlannedReplay {
  readonly readers: readonly RecordingReader[]
  readonly survey: Survey
  readonly plan: Plan
  readonly options: ScheduleOptions
  readonly target: Target
  readonly url: string
  readonly flags: FlagValues<ReplayFlags>
  readonly gates: readonly Gate[]
  /** What is sent and how, for who compares runs. */
  readonly sending: Readonly<Record<string, string>>
  /** Undefined: replies are not compared. */
  readonly check: CheckSettings | undefined
}
