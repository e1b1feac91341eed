import type { Run } from './run.ts'

/**
 * Is the measurement not valid, and was that to be a warning only (`--on-invalid warn`)? A search that our own side ended found nothing to be
 * excused.
 */
export function isExcused({ verdict, asked, capacity }: Pick<Run, 'verdict' | 'asked' | 'capacity'>): boolean {
  return verdict.name === 'INVALID' && asked.options['onInvalid'] === 'warn' && capacity?.limitedBy !== 'generator'
}
