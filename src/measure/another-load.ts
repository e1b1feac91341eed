import type { ShotError } from '../core/outcome.ts'
import { OWN_ERRORS } from '../core/outcome.ts'
import { formatCount, formatShare } from '../core/units.ts'
import type { Tally } from './tally.ts'
import type { Pace } from './timeline.ts'

/** What the recordings have as pseudonyms only, and no reply issues anew. */
export interface MaskedLoad {
  /** Requests that send a secret of the user's, such as a password, and whose replies others need. */
  readonly logins: number
  /** Share of the requests whose cookie or token the target cannot know, 0 to 1. */
  readonly strangerShare: number
}

/** What tells whether the load was the recorded one. */
export interface LoadEvidence {
  readonly pace: Pace
  readonly replies: number
  /** Replies with status 401 or 403 where the recording had another. Default: none. */
  readonly refused?: number
  /** Replies with status 429, or 500 and more. Default: none. */
  readonly overloaded?: number
  readonly errors: ReadonlyMap<ShotError, number>
  /** Default: nothing was masked. */
  readonly masked?: MaskedLoad
}

/** What was measured, as evidence of whether the load was the recorded one. `masked` is of the plan. */
export function loadEvidenceOf(
  { replies, mismatches, statuses, errors }: Tally,
  masked: MaskedLoad | undefined,
): Omit<LoadEvidence, 'pace'> {
  let overloaded = 0
  for (const [status, count] of statuses) if (status === 429 || status >= 500) overloaded += count
  const refused = Math.min(mismatches, (statuses.get(401) ?? 0) + (statuses.get(403) ?? 0))
  return { replies, refused, overloaded, errors, ...(masked === undefined ? {} : { masked }) }
}

export const LOAD_CODES = ['masked', 'refused', 'unissued'] as const

/** Why the load was another than the recorded one. It says nothing against the numbers, only of what they are. */
export interface LoadFinding {
  readonly code: (typeof LOAD_CODES)[number]
  readonly what: string
  readonly remedy: string
}

/** Beyond it the load was another than the recorded one. */
const ANOTHER_LOAD_SHARE = 0.1

/** Beyond it nearly all is: a health check may pass where nothing else does. */
const REFUSED_SHARE = 0.99

/** What of the load was not as recorded: where masking explains it, that alone. */
export function anotherLoad(evidence: LoadEvidence): readonly LoadFinding[] {
  const masked = maskedLoad(evidence)
  return masked === undefined ? [...refusal(evidence), ...unissued(evidence)] : [masked]
}

/** Pseudonyms are let in nowhere: requests are refused, or cannot be sent for want of what a login would have issued. */
function maskedLoad(evidence: LoadEvidence): LoadFinding | undefined {
  const { pace, errors, refused = 0, masked } = evidence
  if (masked === undefined || pace.due === 0) return undefined
  if (masked.logins === 0 && masked.strangerShare < ANOTHER_LOAD_SHARE) return undefined
  const lost = errors.get('correlation_lost') ?? 0
  if ((lost + refused) / pace.due < ANOTHER_LOAD_SHARE || refused < ownFailures(evidence)) return undefined
  const parts = [
    ...(lost === 0
      ? []
      : [`${formatShare(lost / pace.due)} of the requests were not sent, for want of what a login issues`]),
    ...(refused === 0 ? [] : [`${formatShare(refused / pace.due)} were answered 401 or 403`]),
    ...(masked.logins === 0 ? [] : [`${formatCount(masked.logins)} recorded logins have masked secrets`]),
    ...(masked.strangerShare < ANOTHER_LOAD_SHARE
      ? []
      : [`${formatShare(masked.strangerShare)} of the requests have credentials that the target never issued`]),
  ]
  const what = `values were masked in the recording, so the load was not the recorded one: ${parts.join('; ')}`
  return {
    code: 'masked',
    what,
    remedy: '--unseal sends what --seal kept at the capture; -H and --auth-command set credentials',
  }
}

/** What of the target's own making may have kept logins from working: it was overloaded, or down. */
function ownFailures({ errors, overloaded = 0 }: LoadEvidence): number {
  let failures = overloaded
  for (const [error, count] of errors) {
    if (error !== 'correlation_lost' && error !== 'aborted' && !OWN_ERRORS.has(error)) failures += count
  }
  return failures
}

/** A target that lets nobody in is quick, and that is all that the numbers tell. */
function refusal({ replies, refused = 0 }: LoadEvidence): LoadFinding[] {
  if (replies === 0 || refused / replies < REFUSED_SHARE) return []
  const all = refused === replies ? 'every reply was' : `${formatShare(refused / replies)} of replies were`
  const what = `${all} 401 or 403, and not in the recording: the numbers are those of refusals`
  const remedy = 'are logins recorded, with secrets kept? -H and --auth-command set credentials'
  return [{ code: 'refused', what, remedy }]
}

/** Requests that need a value of an earlier reply (a session, an id) are not sent where the target never gave it. */
function unissued({ pace, errors }: LoadEvidence): LoadFinding[] {
  const lost = errors.get('correlation_lost') ?? 0
  if (pace.due === 0 || lost / pace.due < ANOTHER_LOAD_SHARE) return []
  const what = `${formatShare(lost / pace.due)} of the requests were not sent, for want of a value that the target did not issue: the load was not the recorded one`
  return [{ code: 'unissued', what, remedy: 'do logins work? --unseal, -H and --auth-command give credentials' }]
}
