import type { Stages } from '../../capture/stages.ts'
import type { LedgerKeeper } from '../../core/ledger.ts'
import { originalsKeeper } from '../../mask/keep-originals.ts'
import { createMasker } from '../../mask/masker.ts'
import { compileMatch } from '../../select/match.ts'
import { sampleSessions } from '../../select/sample.ts'
import { compileSession, defaultSessionKey } from '../../select/session.ts'
import type { RecordSettings } from './record-settings.ts'

/** The stages of a recording, and what they have to say at its end. */
export interface RecordingStages {
  readonly stages: Stages
  readonly maskKeyId: string
  /** Puts into the ledger what the stages counted: expressions that could not be evaluated, bodies that were withheld. */
  readonly note: (ledger: LedgerKeeper) => void
}

/**
 * The stages of the settings. `count` counts in the ledger what is sealed. Throws where an expression or a rule is wrong: call it
 * before anything is opened.
 */
export function createStages(
  settings: RecordSettings,
  count: (reason: string, count: number) => void = () => undefined,
): RecordingStages {
  const matcher = settings.match === '' ? undefined : compileMatch(settings.match)
  const session = settings.session === '' ? defaultSessionKey : compileSession(settings.session)
  const origin = settings.session === '' ? 'credential' : 'value'
  const masker = settings.maskKey === undefined ? undefined : createMasker(settings.maskKey, settings.maskRules)
  const keeper = settings.seal.length === 0 ? undefined : originalsKeeper(count)
  const stages: Stages = {
    keepReplayed: settings.keepReplayed,
    ...(matcher === undefined ? {} : { matches: matcher.matches }),
    session,
    ...(settings.sample < 1 ? { keeps: sampleSessions(settings.sample) } : {}),
    ...(masker === undefined
      ? {}
      : {
          mask: (exchange) => {
            const session = exchange.session === '' ? '' : masker.maskSession(exchange.session, origin)
            const masked = { ...masker.mask(exchange), session }
            return keeper?.exchange(exchange, masked) ?? masked
          },
          maskLate: (late) => {
            const masked = { ...late, response: masker.maskMessage(late.response) }
            return keeper?.lateResponse(late, masked) ?? masked
          },
        }),
  }
  return {
    stages,
    maskKeyId: masker?.keyId ?? '',
    note: (ledger) => {
      if (matcher !== undefined && matcher.failures() > 0) ledger.note('match.not-evaluated', matcher.failures())
      if (masker !== undefined && masker.withheld() > 0) ledger.note('mask.body-withheld', masker.withheld())
    },
  }
}
