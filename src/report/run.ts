import type { Comparison } from '../measure/comparison/finding.ts'
import type { ShotError } from '../core/outcome.ts'
import type { CapacityResult } from '../measure/capacity/result.ts'
import type { MaskedLoad } from '../measure/another-load.ts'
import type { LatencyFigures } from '../measure/figures.ts'
import type { GateResult } from '../measure/gates/gate-result.ts'
import type { GeneratorHealth } from '../measure/health.ts'
import type { ReplyCheck } from '../measure/reply-check.ts'
import type { Pace } from '../measure/timeline.ts'
import type { Verdict } from '../measure/validity.ts'
import type { SourceSummary } from '../observe/target-watch.ts'
import type { OperatorChange } from './operator.ts'
import type { StageResult } from './stage-result.ts'

/** Name and version of what `run.json` holds. Readers refuse another major. */
export const RUN_SCHEMA = 'mesh.run/v1'

export type Counts = Readonly<Record<string, number>>

/** A histogram in `run.json` and `intervals.ndjson`: the figures, the exact sum, and all of it for whoever adds histograms. */
export interface HistogramDocument extends LatencyFigures {
  readonly sumNs: number
  /** HdrHistogram V2, compressed, base64; values in nanoseconds, three significant digits. */
  readonly hdrNs: string
}

/** Outcomes, counted. `shots` = `sent` + errors `shed`, `aborted` and `correlation_lost`; `sent` = `replies` + the other errors. */
export interface TallyDocument {
  readonly shots: number
  readonly sent: number
  readonly replies: number
  /** Replies by status code; replies whose status is not the recorded one. */
  readonly statuses: Counts
  readonly mismatches: number
  /** Shots without a reply, by class. */
  readonly errors: Counts
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Of replies and timeouts. */
  readonly responseTime: HistogramDocument
  readonly serviceTime: HistogramDocument
}

/** What the recordings say: requests by recorded status ('0': no response was recorded), and service time. */
export interface RecordedDocument {
  readonly count: number
  readonly statuses: Counts
  readonly serviceTime: HistogramDocument
}

export interface RouteDocument {
  readonly route: number
  readonly name: string
  /** null: not in the recordings' window. */
  readonly recorded: RecordedDocument | null
  /** null: nothing of it was sent. */
  readonly replayed: TallyDocument | null
}

export interface TotalsDocument extends TallyDocument {
  readonly blocked: HistogramDocument
  readonly lag: HistogramDocument
  /** Outcomes of the warm-up: in no other figure. */
  readonly warmup: number
}

/** One recording that was replayed. */
export interface RunRecording {
  readonly recordingId: string
  readonly host: string
  readonly service: string
  readonly requests: number
  readonly spanNs: number
}

/** What was asked for. Secrets are not in it: whoever makes it leaves them out. */
export interface RunRequest {
  /** The words of the command line. */
  readonly command: readonly string[]
  readonly target: string
  readonly recordings: readonly RunRecording[]
  readonly options: Readonly<Record<string, string | number | boolean>>
  /** What was sent and how, by setting: runs that differ in it are not comparable. `#ab12` is a digest. Not there in runs of before. */
  readonly sending?: Readonly<Record<string, string>>
}

/** One stage of a run and what it was expected to send. Times are of the run; `from` and `to` multipliers or shots a second. */
export interface RunStage {
  /** As it is written: `5m0s:3x`. */
  readonly name: string
  readonly fromNs: number
  readonly durationNs: number
  readonly playedNs: number
  readonly from: number
  readonly to: number
  readonly shots: number
  readonly meanPerSecond: number
  readonly peakPerSecond: number
}

/** A load that changes over time. */
export interface RunStages {
  readonly kind: 'multiplier' | 'rate'
  /** Mean rate of the recordings, amplified: rates divided by it are multipliers. */
  readonly basePerSecond: number
  readonly list: readonly RunStage[]
}

/** What was planned; null where it has no end or no rate. */
export interface RunPlan {
  readonly loop: 'open' | 'closed'
  /** The greatest multiplier, where it changes. */
  readonly amplify: number
  /** Not there where the load was the same all along. */
  readonly stages?: RunStages
  readonly speed: number | 'max'
  readonly shots: number | null
  readonly durationNs: number | null
  readonly meanPerSecond: number | null
  readonly peakPerSecond: number | null
  /** The span of the recorded requests that were overlaid, for recorded rates. */
  readonly recordedSpanNs: number
  /** Requests that were not sent, by method. */
  readonly heldBack: Counts
  /** Requests that could not be sent, by reason. */
  readonly notReplayable: Counts
  /** Share of the requests that carry masked values, 0 to 1. */
  readonly maskedShare: number
  /** What of that no reply issues anew; not there where nothing was masked so, and in runs of before. */
  readonly masked?: MaskedLoad
  readonly warnings: readonly string[]
}

/** Where a run was made. No names: it is compared, and shared. */
export interface RunEnvironment {
  readonly node: string
  readonly platform: string
  readonly arch: string
  readonly kernel: string
  readonly cpuModel: string
  readonly cpuCount: number
  readonly memoryBytes: number
}

/** Offered against achieved. */
export interface RunPace extends Pace {
  /** What rates are divided by. */
  readonly windowNs: number
  readonly warmupNs: number
}

/** One of the slowest exchanges of a run. */
export interface SlowExchange {
  /** When it was due, from the run's origin. */
  readonly atNs: number
  readonly responseNs: number
  readonly serviceNs: number
  readonly blockedNs: number
  readonly lagNs: number
  /** 0: no reply. */
  readonly status: number
  readonly error: ShotError
  readonly route: string
  /** Which copy of its session; 0 is the recorded one. */
  readonly clone: number
  /** What it was made of, with secrets masked; null where the recording could not be read again. */
  readonly recorded: {
    /** Method and target. */
    readonly request: string
    /** Of a header that names a request; '' where there was none. A clone's own is another, see `x-mesh-original-NAME`. */
    readonly requestId: string
    readonly host: string
    /** ISO 8601, UTC. */
    readonly at: string
    /** As `mesh inspect --list` has them. */
    readonly exchange: number
    readonly connection: number
    /** '' where only the connection tells. */
    readonly session: string
  } | null
}

/** Everything about one run: what `run.json` holds, and what reporters print. */
export interface Run {
  readonly schema: typeof RUN_SCHEMA
  readonly version: string
  readonly runId: string
  /** It was stopped before its end, or died: then figures are those until the last write. */
  readonly interrupted: boolean
  /** ISO 8601, UTC. `finishedAt` null: it is running, or died. */
  readonly startedAt: string
  readonly finishedAt: string | null
  readonly asked: RunRequest
  readonly plan: RunPlan
  readonly achieved: RunPace
  readonly verdict: Verdict
  /** What became of each gate, in the order in which they were given. */
  readonly gates: readonly GateResult[]
  /** What became of each stage of the plan; not there where it has none. */
  readonly stages?: readonly StageResult[]
  /** What a search for the target's capacity found; not there where none was made. Then other figures are of all of its steps together. */
  readonly capacity?: CapacityResult
  /** What it was compared with, and what came of it. With a baseline, other figures are of the candidate's blocks. */
  readonly comparison?: Comparison
  /** What an operator changed of the load while it ran; not there where nothing was. */
  readonly operator?: readonly OperatorChange[]
  /** What the target told of itself meanwhile, by source, and how often it was asked; not there where nobody asked. */
  readonly target?: readonly SourceSummary[]
  readonly targetIntervalNs?: number
  /** Replies against the recorded ones; not there where nobody asked. */
  readonly check?: ReplyCheck
  /** By response time, slowest first, of replies and timeouts; not there in runs of before. */
  readonly slowest?: readonly SlowExchange[]
  readonly totals: TotalsDocument
  readonly recorded: RecordedDocument
  readonly routes: readonly RouteDocument[]
  /** Shots due and shots sent in each second of the run, from second 0. */
  readonly timeline: { readonly due: readonly number[]; readonly sent: readonly number[] }
  readonly health: GeneratorHealth | null
  /** Facts of the senders: connections opened, reconnects, redirects. */
  readonly counters: Counts
  readonly environment: RunEnvironment
  /** Equal for runs that may be compared: same recordings, plan, version and kind of machine. */
  readonly fingerprint: string
}
