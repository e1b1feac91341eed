import { monotonicNs } from '../../core/clock.ts'
import { ProcessSource } from '../../observe/process.ts'
import { ScrapeSource } from '../../observe/scrape.ts'
import type { TargetSource } from '../../observe/source.ts'
import { type TargetSample, TargetWatch } from '../../observe/target-watch.ts'
import type { RunFacts } from '../../report/describe-run.ts'
import { TargetFile } from '../../report/target-file.ts'
import type { FlagValues } from '../flags.ts'
import { readText } from '../read-text.ts'
import type { ReplayFlags } from './replay-flags.ts'
import type { Terminal } from '../terminal.ts'

/** What is asked of the target beside the load, of which a run has one or none. */
export class TargetWatching {
  readonly #watch: TargetWatch
  readonly #file: TargetFile | undefined
  readonly #intervalNs: number

  /**
   * Begins to read what the flags name; undefined where they name nothing. `begun.atNs` is the run's origin, by the monotonic clock; 0: it
   * has not begun. `directory`: where samples are kept, undefined for nowhere.
   */
  static async start(
    flags: FlagValues<ReplayFlags>,
    begun: { readonly atNs: number },
    directory: string | undefined,
    terminal: Terminal,
  ): Promise<TargetWatching | undefined> {
    const sources = sourcesOf(flags)
    if (sources.length === 0) return undefined
    const file = directory === undefined ? undefined : await TargetFile.create(directory)
    const said = new Set<number>()
    // Rates are by the clock, which knows no origin; what is read before the run begins is what its first rates are of.
    const onSample = (sample: TargetSample): void => {
      const atNs = begun.atNs === 0 ? 0 : Math.max(0, sample.atNs - begun.atNs)
      file?.add({ ...sample, atNs })
      if (sample.failure === '' || said.has(sample.source)) return
      said.add(sample.source)
      terminal.warn(`mesh: ${sample.failure}; it is asked again, and the run goes on`)
    }
    return new TargetWatching(new TargetWatch(sources, monotonicNs, onSample), file, flags.scrapeInterval)
  }

  private constructor(watch: TargetWatch, file: TargetFile | undefined, intervalNs: number) {
    this.#watch = watch
    this.#file = file
    this.#intervalNs = intervalNs
  }

  /** The run begins now. */
  begin(): void {
    this.#watch.start(this.#intervalNs / 1e6)
  }

  /** What was found so far. */
  get findings(): NonNullable<RunFacts['target']> {
    return { sources: this.#watch.summaries(), intervalNs: this.#intervalNs }
  }

  /** Ends it. @throws MeshError where its file could not be written. */
  async close(): Promise<void> {
    this.#watch.close()
    await this.#file?.close()
  }
}

function sourcesOf(flags: FlagValues<ReplayFlags>): readonly TargetSource[] {
  const trust = {
    ...(flags.cacert === undefined ? {} : { ca: readText(flags.cacert) }),
    ...(flags.insecure ? { rejectUnauthorized: false } : {}),
  }
  const scraped = flags.scrape.map((url) => new ScrapeSource(new URL(url), flags.scrapeMatch, trust))
  return [...scraped, ...(flags.watchPid === undefined ? [] : [new ProcessSource(flags.watchPid)])]
}
