import type { Stages } from '../../capture/stages.ts'
import { compileIgnore } from '../../compare/ignore.ts'
import type { LedgerKeeper } from '../../core/ledger.ts'
import { createExampleMasker } from '../../mask/masker.ts'
import { RouteTable } from '../../measure/routes.ts'
import { ByteBudget } from '../../mirror/byte-budget.ts'
import { ReplyComparison } from '../../mirror/comparison.ts'
import { DroppedSessions } from '../../mirror/dropped-sessions.ts'
import { Mirror } from '../../mirror/mirror.ts'
import { MovedBase } from '../../mirror/moved-base.ts'
import { RequestCopier } from '../../mirror/request-copier.ts'
import { StagingClient } from '../../mirror/staging-client.ts'
import type { StagingTarget } from '../../mirror/staging-client.ts'
import { StagingPair } from '../../mirror/staging-pair.ts'
import { compileMatch } from '../../select/match.ts'
import { sampleSessions } from '../../select/sample.ts'
import { compileSession, defaultSessionKey } from '../../select/session.ts'
import type { MirrorSettings } from './mirror-settings.ts'

/** Replies of staging that wait to be compared: four times what production's may take, as both stagings' are kept. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024

/** A mirror, and what stands before it. */
export interface AssembledMirror {
  readonly mirror: Mirror
  readonly stages: Stages
  /** Puts into the ledger what the stages counted. */
  readonly note: (ledger: LedgerKeeper) => void
}

/**
 * Puts a mirror together. Throws where an expression, a rule or a header is wrong; opens nothing. `nowNs`: by the exchanges' own
 * clock. `recorded`: they come from recordings, with the sessions that they were recorded with.
 */
export function assembleMirror(settings: MirrorSettings, nowNs: () => number, recorded: boolean): AssembledMirror {
  const matcher = settings.match === '' ? undefined : compileMatch(settings.match)
  const session = settings.session === '' ? defaultSessionKey : compileSession(settings.session)
  const dropped = new DroppedSessions()
  const comparison = settings.compare ? comparisonOf(settings, dropped) : undefined
  const copier = new RequestCopier({
    url: settings.target.url,
    keepHost: settings.keepHost,
    headers: settings.headers,
    runId: settings.runId,
  })
  const parts = {
    copier,
    staging: stagingOf(settings),
    dropped,
    routes: new RouteTable({ patterns: settings.routes }),
    moved: comparison?.moved,
    comparison: comparison?.replies,
  }
  const mirror = new Mirror(parts, {
    allowWrites: settings.allowWrites,
    maxInFlight: settings.maxInFlight,
    timeoutNs: settings.timeoutNs,
    nowNs,
    heldWrites: recorded ? 'recorded' : 'live',
  })
  const stages: Stages = {
    ...(matcher === undefined ? {} : { matches: matcher.matches }),
    ...(recorded && settings.session === '' ? {} : { session }),
    ...(settings.sample < 1 ? { keeps: sampleSessions(settings.sample) } : {}),
  }
  const note = (ledger: LedgerKeeper): void => {
    if (matcher !== undefined && matcher.failures() > 0) ledger.note('match.not-evaluated', matcher.failures())
  }
  return { mirror, stages, note }
}

function comparisonOf(
  settings: MirrorSettings,
  dropped: DroppedSessions,
): { readonly moved: MovedBase | undefined; readonly replies: ReplyComparison } {
  const moved = settings.base === 'live' ? new MovedBase() : undefined
  const replies = new ReplyComparison({
    masker: createExampleMasker(settings.maskRules),
    ignored: compileIgnore(settings.ignore, settings.ignoreWhere),
    moved,
    dropped,
    twin: settings.twin !== undefined,
  })
  return { moved, replies }
}

function stagingOf(settings: MirrorSettings): StagingPair {
  const budget = new ByteBudget(MAX_REPLY_BYTES)
  const client = (target: StagingTarget): StagingClient =>
    new StagingClient({
      target,
      maxConnections: settings.maxInFlight,
      timeoutMs: settings.timeoutNs / 1e6,
      keepReplies: settings.compare ? { maxBodyBytes: settings.maxBodyBytes, budget } : undefined,
    })
  const { twin } = settings
  if (twin === undefined) return new StagingPair(client(settings.target))
  const authority = settings.keepHost ? undefined : new URL(twin.url).host
  return new StagingPair(client(settings.target), { client: client(twin), authority })
}
