import * as http from 'node:http'
import * as https from 'node:https'
import { otlpText } from '../report/otlp.ts'
import type { Run } from '../report/run.ts'
import type { Terminal } from './terminal.ts'

/** A collector that does not answer by then does not get the run. */
const TIMEOUT_MS = 10_000

/** Pushes a run to a collector, once. One that does not take it is a warning: the run is what it is, and its exit code too. */
export async function pushOtlp(run: Run, url: string, terminal: Terminal): Promise<void> {
  try {
    const status = await post(new URL(url), otlpText(run))
    if (status >= 200 && status < 300) terminal.say(`the run was pushed to ${url}`)
    else terminal.warn(`mesh: the run was not pushed: expected a status of 2xx, found ${status} (${url})`)
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    terminal.warn(`mesh: the run was not pushed: ${why} (${url})`)
  }
}

function post(url: URL, text: string): Promise<number> {
  const { request } = url.protocol === 'https:' ? https : http
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'user-agent': 'mesh',
  }
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers, agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) }
    const asking = request(url, options, (response) => {
      resolve(response.statusCode ?? 0)
      // What it answers with is nothing to us, and may have no end.
      asking.destroy()
    })
    asking.on('error', reject)
    asking.end(text)
  })
}
