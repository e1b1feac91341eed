import { fileParts } from '../../src/archive/parts.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import { exchange, message, response } from './exchanges.ts'
import { recordingInfo, TestRecorder } from './recordings.ts'

/** A recording to be made: its users work side by side, each on a connection of its own, with requests a fixed time apart. */
export interface SessionRecording {
  readonly host: string
  /** Wall clock of its beginning, in nanoseconds since 1970. */
  readonly startUnixNs?: bigint
  readonly users: number
  readonly steps: number
  /** From one request of a user to the next. */
  readonly gapMs: number
  /** When a user's first request comes; by default users are spread over one gap. */
  readonly firstMs?: (user: number) => number
  /** Method of each step; a method other than GET has a body. */
  readonly method?: (step: number) => string
  /** Value of Host; a port that is no longer there, as a rule. */
  readonly authority?: string
  /** Header lines of every request besides Host and the session's cookie. */
  readonly lines?: readonly string[]
  /** The status that was recorded. */
  readonly status?: number
}

const TEN_OCLOCK = 1_767_607_200_000_000_000n
const DAY = 86_400_000_000_000n

/** Three hosts on three days of the week, as far as their clocks go. */
export const THREE_HOSTS: readonly SessionRecording[] = ['a', 'b', 'c'].map((host, index) => ({
  host,
  startUnixNs: TEN_OCLOCK + BigInt(index) * DAY,
  users: 10,
  steps: 10,
  gapMs: 200,
}))

/** `/b/user/2/step/0`: the path tells whose request it is, and which. */
export function stepPath(host: string, user: number, step: number): string {
  return `/${host}/user/${user}/step/${step}`
}

/** When a step was recorded, in milliseconds from the recording's beginning. */
export function stepMs(recording: SessionRecording, user: number, step: number): number {
  const { users, gapMs } = recording
  return (recording.firstMs?.(user) ?? (user * gapMs) / users) + step * gapMs
}

/** The body of a step that has one. */
export function stepBody(user: number, step: number): string {
  return `{"user":${user},"step":${step}}`
}

/** Writes the recording, whole and closed. */
export async function recordSessions(path: string, recording: SessionRecording): Promise<void> {
  const { host, startUnixNs, users, steps } = recording
  const info = recordingInfo({
    host,
    recordingId: `recording of ${host}`,
    ...(startUnixNs === undefined ? {} : { originUnixNs: startUnixNs }),
  })
  const recorder = await TestRecorder.open({ openPart: fileParts(path), info })
  const exchanges: Exchange[] = []
  for (let user = 0; user < users; user++) {
    for (let step = 0; step < steps; step++) exchanges.push(stepExchange(recording, user, step))
  }
  exchanges.sort((a, b) => a.requestFirstNs - b.requestFirstNs)
  for (const [id, one] of exchanges.entries()) recorder.write({ ...one, id })
  await recorder.writer.close()
}

function stepExchange(recording: SessionRecording, user: number, step: number): Exchange {
  const { host } = recording
  const method = recording.method?.(step) ?? 'GET'
  const body = method === 'GET' ? '' : stepBody(user, step)
  const atNs = Math.round(stepMs(recording, user, step) * 1e6)
  return exchange({
    connection: user,
    position: step,
    session: `sid=${host}-${user}`,
    request: message(
      [
        `${method} ${stepPath(host, user, step)} HTTP/1.1`,
        `Host: ${recording.authority ?? 'shop.example'}`,
        `Cookie: sid=${host}-${user}`,
        ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`]),
        ...(recording.lines ?? []),
      ],
      body,
    ),
    requestFirstNs: atNs,
    requestLastNs: atNs,
    response: response([`HTTP/1.1 ${recording.status ?? 200} Recorded`, 'Content-Length: 2'], 'ok', {
      firstNs: atNs + 1e6,
      lastNs: atNs + 1e6,
    }),
  })
}
