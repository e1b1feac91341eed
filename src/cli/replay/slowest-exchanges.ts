import type { Exchange } from '../../core/exchange.ts'
import { headerValue, parseHead, requestLine } from '../../core/head.ts'
import type { RecordingReader } from '../../core/recording.ts'
import { createExampleMasker, type Masker } from '../../mask/masker.ts'
import { holdsPseudonym } from '../../mask/pseudonym.ts'
import type { SlowShot, SlowestShots } from '../../measure/slowest-shots.ts'
import type { Survey, SurveyedRecording } from '../../replay/survey.ts'
import type { SlowExchange } from '../../report/run.ts'
import { isoTime } from '../inspect/inspection-text.ts'
import { recordedMaskRules } from '../unsealing.ts'

/** A longer request line, session or request id is cut. */
const MAX_SHOWN_CHARS = 200

/** Which headers name a request in the logs of who sent it and of who answered. */
const REQUEST_IDS = ['x-request-id', 'request-id', 'x-correlation-id', 'traceparent'] as const

/**
 * The slowest shots of a run with what was recorded of them, slowest first. Each is read again from its recording: what a sending thread had was
 * the request as it was sent, with values in it that the target issued. Secrets are masked, also those of a recording that has kept them, or was unsealed; a
 * recording that cannot be read again leaves `recorded` null.
 */
export async function slowestExchanges(
  { shots }: SlowestShots,
  survey: Survey,
  readers: readonly RecordingReader[],
  routeNames: readonly string[],
): Promise<readonly SlowExchange[]> {
  const masker = createExampleMasker(recordedMaskRules(survey.recordings.map(({ info }) => info)))
  const found: SlowExchange[] = []
  for (const shot of shots) {
    const recording = survey.recordings[shot.recording]
    const exchange = recording && (await recordedExchange(shot, recording, readers))
    found.push({
      ...timesOf(shot),
      route: routeNames[shot.route] ?? '',
      clone: shot.clone,
      recorded: recording === undefined || exchange === undefined ? null : shown(exchange, recording, masker),
    })
  }
  return found
}

function timesOf({ dueNs, readyNs, sentNs, doneNs, status, error }: SlowShot): TimesOfExchange {
  const blockedNs = Math.max(0, readyNs - dueNs)
  return {
    atNs: dueNs,
    responseNs: doneNs - dueNs,
    serviceNs: doneNs - sentNs,
    blockedNs,
    lagNs: Math.max(0, sentNs - dueNs - blockedNs),
    status,
    error,
  }
}

type TimesOfExchange = Omit<SlowExchange, 'route' | 'clone' | 'recorded'>

/** Undefined where it cannot be read any more: a report does without it. */
async function recordedExchange(
  { recordedAtNs, exchange }: SlowShot,
  { info, fromNs, parts }: SurveyedRecording,
  readers: readonly RecordingReader[],
): Promise<Exchange | undefined> {
  const atNs = fromNs + recordedAtNs
  const atUnixNs = info.originUnixNs + BigInt(Math.round(atNs))
  const around = { fromUnixNs: atUnixNs - 1n, toUnixNs: atUnixNs + 2n }
  try {
    for (const { input } of parts.filter((part) => part.fromNs <= atNs && atNs <= part.toNs)) {
      const { recordingId, part } = input.info
      const reader = readers.find((one) => one.info.recordingId === recordingId && one.info.part === part)
      if (reader === undefined) continue
      for await (const one of reader.exchanges(around)) if (one.id >>> 0 === exchange) return one
    }
  } catch {
    return undefined
  }
  return undefined
}

function shown(exchange: Exchange, { info }: SurveyedRecording, masker: Masker): NonNullable<SlowExchange['recorded']> {
  const head = parseHead(masker.maskMessage(exchange.request).head)
  const { method, target } = requestLine(head)
  const requestId = REQUEST_IDS.map((name) => headerValue(head, name)).find((value) => value !== undefined)
  const { session } = exchange
  const origin = info.sessionBy === '' ? 'credential' : 'value'
  return {
    request: cut(`${method} ${target}`),
    requestId: cut(requestId ?? ''),
    host: info.host,
    at: isoTime(info.originUnixNs + BigInt(Math.round(exchange.requestFirstNs))),
    exchange: exchange.id,
    connection: exchange.connection,
    session: cut(holdsPseudonym(session) ? session : masker.maskSession(session, origin)),
  }
}

function cut(text: string): string {
  return text.length <= MAX_SHOWN_CHARS ? text : `${text.slice(0, MAX_SHOWN_CHARS)}…`
}
