import type { Gate } from '../measure/gates/gate.ts'
import type { ScheduleOptions } from '../replay/options.ts'
import type { Plan } from '../replay/plan.ts'
import type { Target } from '../replay/senders/target.ts'
import type { Survey } from '../replay/survey.ts'
import type { FlagValues } from './flags.ts'
import type { ReplayFlags } from './replay-flags.ts'

/** A replay that is planned, checked and ready to go. */
export interface PlannedReplay {
  readonly survey: Survey
  readonly plan: Plan
  readonly options: ScheduleOptions
  readonly target: Target
  readonly url: string
  readonly flags: FlagValues<ReplayFlags>
  readonly gates: readonly Gate[]
}
