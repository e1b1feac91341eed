import { MeshError } from './errors.ts'

/**
 * The one grammar of values that people type: durations, rates, multipliers, sizes. Every parser takes the flag's name, so
 * that the error can say where, and lists what it accepts.
 */

const DURATION_UNITS_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
  d: 86_400e9,
}

/** `500us 200ms 30s 5m 1h30m 2d`, a bare number is seconds; in nanoseconds. */
export function parseDurationNs(text: string, where: string): number {
  const refuse = (): never => unitError('a duration', '500us, 200ms, 30s, 5m, 1h30m', text, where)
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1e9
  if (!/^(\d+(\.\d+)?[a-z]+)+$/.test(text)) return refuse()
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)([a-z]+)/g)) {
    const unitNs = DURATION_UNITS_NS[unit ?? '']
    if (unitNs === undefined) return refuse()
    total += Number(amount) * unitNs
  }
  return total
}

/** `100`, `100/s`, `6000/m`, `1k/s`, `50/1s`; per second. */
export function parseRatePerSecond(text: string, where: string): number {
  const match = /^(\d+(?:\.\d+)?)([kM]?)(?:\/(\d+(?:\.\d+)?)?(ms|s|m|h))?$/.exec(text)
  if (match === null) return unitError('a rate', '100/s, 6000/m, 1k/s', text, where)
  const [, amount, thousands, every, unit] = match
  const count = Number(amount) * (thousands === 'k' ? 1e3 : thousands === 'M' ? 1e6 : 1)
  const spanNs = Number(every ?? 1) * (DURATION_UNITS_NS[unit ?? 's'] ?? 1e9)
  if (!(spanNs > 0)) return unitError('a rate', '100/s, 6000/m, 1k/s', text, where)
  return (count * 1e9) / spanNs
}

/** `2x 0.5x 200%`, a bare number is a factor. */
export function parseMultiplier(text: string, where: string): number {
  const match = /^(\d+(?:\.\d+)?)(x|%)?$/.exec(text)
  if (match === null || Number(match[1]) === 0) return unitError('a multiplier', '2x, 0.5x, 200%', text, where)
  return Number(match[1]) / (match[2] === '%' ? 100 : 1)
}

/** `10%`, `0.1`: a share between 0 (excluded) and 1. */
export function parseShare(text: string, where: string): number {
  const match = /^(\d+(?:\.\d+)?)(%)?$/.exec(text)
  const share = match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1)
  if (!(share > 0 && share <= 1)) return unitError('a share above 0 and up to 100%', '10%, 0.1', text, where)
  return share
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kb: 1000,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1e6,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1e9,
  gib: 1024 ** 3,
}

/** `64KiB 10MB 1g`; in bytes. */
export function parseSizeBytes(text: string, where: string): number {
  const match = /^(\d+(?:\.\d+)?)([a-zA-Z]*)$/.exec(text)
  const unit = SIZE_UNITS[(match?.[2] ?? '?').toLowerCase()]
  if (match === null || unit === undefined) return unitError('a size', '64KiB, 10MB, 1GiB', text, where)
  return Math.round(Number(match[1]) * unit)
}

/** A whole number between bounds. */
export function parseCount(text: string, where: string, least = 1, most: number = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) {
    const bound = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
    return unitError(`a whole number ${bound}`, String(least), text, where)
  }
  return value
}

/** `[host:]port`, `:8080`, `[::1]:80`; without a host, `defaultHost`. */
export function parseAddress(
  text: string,
  where: string,
  defaultHost = '127.0.0.1',
): { address: string; port: number } {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]]*):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > 65_535) return unitError('[host:]port', '127.0.0.1:8080, :8080, [::1]:8080', text, where)
  const address = (match[1] ?? '').replaceAll(/[[\]]/g, '')
  return { address: address === '' ? defaultHost : address, port }
}

function unitError(expected: string, examples: string, found: string, where: string): never {
  throw new MeshError('MESH_ERR_UNIT', { what: `expected ${expected} such as ${examples}, found "${found}"`, where })
}

/** `412us`, `1.52ms`, `2.31s`, `4m10s`: three figures, for people. */
export function formatDurationNs(ns: number): string {
  const size = Math.abs(ns)
  if (ns === 0) return '0s'
  if (size < 1e3) return `${Math.round(ns)}ns`
  if (size < 999.5e3) return `${figures(ns / 1e3)}us`
  if (size < 999.5e6) return `${figures(ns / 1e6)}ms`
  if (size < 99.95e9) return `${figures(ns / 1e9)}s`
  const seconds = Math.round(ns / 1e9)
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60]
  return hours > 0 ? `${hours}h${minutes}m${rest}s` : `${minutes}m${rest}s`
}

/** `812 B`, `1.42 MiB`. */
export function formatBytes(bytes: number): string {
  const size = Math.abs(bytes)
  if (size < 1024) return `${bytes} B`
  if (size < 1024 ** 2) return `${figures(bytes / 1024)} KiB`
  if (size < 1024 ** 3) return `${figures(bytes / 1024 ** 2)} MiB`
  return `${figures(bytes / 1024 ** 3)} GiB`
}

/** `1 rule`, `1,234 rules`. */
export function formatMany(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** `1,234,567`: never by locale. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** `812/s`, `12,345/s`, `0.5/s`. */
export function formatRate(perSecond: number): string {
  return perSecond >= 100 ? `${formatCount(perSecond)}/s` : `${figures(perSecond)}/s`
}

function figures(value: number): string {
  const size = Math.abs(value)
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** A share as a text: `7.2 %`, `80 %`, `100 %`. */
export function formatShare(share: number): string {
  const points = share * 100
  return `${points >= 99.5 || points === 0 ? points.toFixed(0) : points.toPrecision(2)} %`
}
