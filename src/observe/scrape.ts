import * as http from 'node:http'
import * as https from 'node:https'
import { MeshError, toMeshError } from '../core/errors.ts'
import { MAX_METRICS, MetricChoice } from './metric-choice.ts'
import { parsePrometheusText } from './prometheus-text.ts'
import type { Reading, Readings, TargetSource } from './source.ts'

/** A page of metrics that is larger is not read: parsing it would take the time that making the schedule needs. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024
/** Who does not answer by then has not been scraped. */
const TIMEOUT_MS = 2000

/** Whom to trust where the page is behind TLS: by default whom the system does. */
export interface ScrapeTrust {
  /** An authority, PEM. */
  readonly ca?: string
  /** False: any certificate. */
  readonly rejectUnauthorized?: boolean
}

/** Reads a page of metrics in Prometheus' text format. Redirects are not followed: nothing goes where nobody named it. */
export class ScrapeSource implements TargetSource {
  readonly kind = 'scrape'
  readonly name: string
  readonly #url: URL
  readonly #choice: MetricChoice
  readonly #trust: ScrapeTrust

  constructor(url: URL, patterns: readonly string[], trust: ScrapeTrust = {}) {
    this.name = url.href
    this.#url = url
    this.#choice = new MetricChoice(patterns)
    this.#trust = trust
  }

  async read(signal: AbortSignal): Promise<Readings> {
    const { samples } = parsePrometheusText(
      await this.#page(AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])),
    )
    const readings: Reading[] = []
    let [spread, beyond] = [0, 0]
    const seen = new Set<string>()
    for (const sample of samples) {
      if (!this.#choice.includes(sample) || !Number.isFinite(sample.value)) continue
      // A series that stands there twice breaks the format: of two counters by turns no rate is true.
      if (seen.has(sample.key)) continue
      seen.add(sample.key)
      if (sample.type === 'histogram' || sample.type === 'summary') spread += 1
      else if (readings.length >= MAX_METRICS) beyond += 1
      else {
        const kind = sample.type === 'counter' ? 'counter' : 'gauge'
        readings.push({ name: sample.key, kind, value: sample.value })
      }
    }
    const notes = [
      ...(spread > 0 ? [`${spread} samples of histograms and summaries are left out`] : []),
      ...(beyond > 0
        ? [`${beyond} series beyond the first ${MAX_METRICS} are left out: choose with --scrape-match`]
        : []),
      ...(readings.length === 0 && spread === 0
        ? ['no metric there is one of those asked for: see --scrape-match']
        : []),
    ]
    return { readings, note: notes.join('; ') }
  }

  #page(signal: AbortSignal): Promise<string> {
    const { request } = this.#url.protocol === 'https:' ? https : http
    const failed = (what: string, cause?: unknown): MeshError =>
      new MeshError('MESH_ERR_UNREACHABLE', { what, where: this.name, ...(cause === undefined ? {} : { cause }) })
    return new Promise((resolve, reject) => {
      const headers = { accept: 'text/plain;version=0.0.4', 'user-agent': 'mesh' }
      const asking = request(this.#url, { headers, signal, agent: false, ...this.#trust }, (response) => {
        const pieces: Buffer[] = []
        let bytes = 0
        if (response.statusCode !== 200) {
          asking.destroy()
          return reject(failed(`expected status 200 of its metrics, found ${response.statusCode}`))
        }
        response.on('data', (piece: Buffer) => {
          bytes += piece.length
          if (bytes > MAX_PAGE_BYTES) {
            asking.destroy()
            reject(failed(`expected at most ${MAX_PAGE_BYTES} bytes of metrics, found more`))
          } else pieces.push(piece)
        })
        response.on('end', () => resolve(Buffer.concat(pieces).toString('utf8')))
        response.on('error', (error) => reject(toMeshError(error, this.name)))
      })
      asking.on('error', (error) => {
        const what = signal.aborted ? `no metrics within ${TIMEOUT_MS / 1000} s` : `no metrics: ${error.message}`
        reject(failed(what, error))
      })
      asking.end()
    })
  }
}
