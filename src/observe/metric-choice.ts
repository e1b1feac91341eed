import type { PrometheusSample } from './prometheus-text.ts'

/** What most clients of Prometheus serve of their own process, and what says most about a target under load. */
export const DEFAULT_PATTERNS: readonly string[] = [
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'process_open_fds',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_heap_size_used_bytes',
  'go_goroutines',
  'go_memstats_heap_inuse_bytes',
  'jvm_threads_live_threads',
  'jvm_threads_current',
  'system_cpu_usage',
  'pg_stat_activity_count',
  'nginx_connections_active',
]

/** Series of one source that are kept: more are a table that nobody reads. */
export const MAX_METRICS = 40

/** Which metrics of a target are kept: by name, `*` being anything. */
export class MetricChoice {
  readonly #patterns: readonly RegExp[]

  constructor(patterns: readonly string[]) {
    const chosen = patterns.length === 0 ? DEFAULT_PATTERNS : patterns
    this.#patterns = chosen.map((pattern) => {
      const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
      return new RegExp(`^${parts.join('.*')}$`)
    })
  }

  includes({ name }: PrometheusSample): boolean {
    return this.#patterns.some((pattern) => pattern.test(name))
  }
}
