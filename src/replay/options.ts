import type { RecordingReader, TimeRange } from '../core/recording.ts'
import type { RouteTable } from '../measure/routes.ts'
import type { AlignMode } from './align.ts'
import type { AuthorizationSource } from './authorization.ts'
import type { Permissions } from '../wire/http1/hold-back.ts'
import type { CorrelateOptions } from './correlate/rules.ts'
import type { BodyComparison } from './check/body-check.ts'
import type { Pace } from './pacer.ts'
import type { RenewalOptions } from './renewal.ts'
import type { Stages } from './stages.ts'
import type { RewriteRules } from '../wire/http1/request-rewriter.ts'

/** One recording, or one part of one, that is to be replayed: read once for the plan, then once a loop. */
export type ReplayInput = Pick<RecordingReader, 'info' | 'exchanges'>

/**
 * When a run is over: with the recording that ends first (`shortest`), with the one that ends last (`ragged`), or never, each
 * recording starting over when it ends (`loop`).
 */
export const ENDINGS = ['shortest', 'ragged', 'loop'] as const
export type Ending = (typeof ENDINGS)[number]

/** The default cap of a run's peak: above what one staging host is usually meant to take, within what one sending thread holds on time. */
export const DEFAULT_MAX_RATE_PER_SECOND = 20_000

/** Clones are spread over at most this much: enough to part them, short enough to keep the shape of a peak. */
export const DEFAULT_MAX_JITTER_NS = 5e9

/** And over at most this part of the run, so that a short one is not all ramp. */
export const JITTER_PART_OF_SPAN = 20

/** A clone's number is 16 bits wide; a thousand copies of a host are no longer that host's traffic. */
export const MAX_AMPLIFY = 1_000

/** What sets one schedule of a run apart from its others, where a run is of several: steps of a search, blocks of a comparison. */
export interface ScheduleBlock {
  /** When its time 0 is, in nanoseconds from the run's origin. */
  readonly startNs: number
  /** Generations before it belong to earlier blocks: no session and no request id of theirs comes again. */
  readonly firstGeneration: number
}

/** What is to be sent and when. Everything is given; the defaults are the command line's to state. */
export interface ScheduleOptions {
  readonly align: AlignMode
  /** How often every session is sent; a fraction is the share of sessions that are sent once more. Above 0, at most 1,000. */
  readonly amplify: number
  /** Clones are shifted by 0 up to this; undefined: 5 s or a twentieth of the run, whichever is less. Recorded time. */
  readonly jitterNs: number | undefined
  /** Equal seeds and inputs give equal schedules. */
  readonly seed: number
  readonly pace: Pace
  /** The multiplier over time, `amplify` being 1 then; or the rate, at pace `speed` 1. Undefined: the same all along. */
  readonly stages: Stages | undefined
  readonly ending: Ending
  /** Only what was recorded then. */
  readonly between: TimeRange | undefined
  /** No shot is due later; undefined: until the ending. With pace `max` the sender has to keep it: nothing is due there. */
  readonly durationNs: number | undefined
  /** Shots are cut into this many shards, a session's clone always in one. */
  readonly shards: number
  readonly permissions: Permissions
  readonly rewrite: RewriteRules
  readonly routes: RouteTable
  /** Undefined: requests are sent with the values that were recorded. */
  readonly correlate: CorrelateOptions | undefined
  /** Undefined: the run has one schedule. */
  readonly block?: ScheduleBlock
  /** Tokens and times that are made anew. Default: none. */
  readonly renewal?: RenewalOptions
  /** Where Authorization comes from; `rewrite.headers` has one then, whatever its value. Default: the recording, or those headers. */
  readonly authorization?: AuthorizationSource
  /** Chooses the replies that are compared; undefined: none are. */
  readonly check?: BodyComparison | undefined
}

/** What the first pass over the recordings has to know. */
export type SurveyOptions = Pick<
  ScheduleOptions,
  'between' | 'permissions' | 'rewrite' | 'routes' | 'correlate' | 'renewal'
>
