import * as http from 'node:http'
import * as https from 'node:https'
import { toMeshError } from '../../core/errors.ts'
import { formatDurationNs } from '../../core/units.ts'
import { otlpText } from '../../report/otlp.ts'
import type { Run } from '../../report/run.ts'
import type { Terminal } from '../terminal.ts'

/** A collector that does not answer by then does not get the run. */
const TIMEOUT_MS = 10_000

/** Pushes a run to a collector, once. One that does not take it is a warning: the run is what it is, and its exit code too. */
export async function pushOtlp(
  run: Run,
  url: string,
  terminal: Terminal,
  timeoutMs: number = TIMEOUT_MS,
): Promise<void> {
  try {
    const status = await post(new URL(url), otlpText(run), timeoutMs)
    if (status >= 200 && status < 300) terminal.say(`the run was pushed to ${url}`)
    else terminal.warn(`mesh: the run was not pushed: expected a status of 2xx, found ${status} (${url})`)
  } catch (thrown) {
    terminal.warn(`mesh: the run was not pushed: ${failureText(thrown, timeoutMs)} (${url})`)
  }
}

/** What a collector that hangs, or something else that listens there, looks like from here. */
function failureText(thrown: unknown, timeoutMs: number): string {
  if (thrown instanceof Error) {
    if (thrown.name === 'TimeoutError' || thrown.name === 'AbortError') {
      return `nothing answered within ${formatDurationNs(timeoutMs * 1e6)}`
    }
    if ('code' in thrown && String(thrown.code).startsWith('HPE_')) return 'what answers there does not speak HTTP'
  }
  return toMeshError(thrown).what
}

function post(url: URL, text: string, timeoutMs: number): Promise<number> {
  const { request } = url.protocol === 'https:' ? https : http
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'user-agent': 'mesh',
  }
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers, agent: false, signal: AbortSignal.timeout(timeoutMs) }
    const asking = request(url, options, (response) => {
      resolve(response.statusCode ?? 0)
      // What it answers with is nothing to us, and may have no end.
      asking.destroy()
    })
    asking.on('error', reject)
    asking.end(text)
  })
}
