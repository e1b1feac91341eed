import { MeshError } from '../../core/errors.ts'

/** A place in the requests or replies of one route; `*` is any route. */
export interface RulePlace {
  readonly route: string
  /** As in `takeFromHead`, `takeFromBody` and `sentValues`, places in lists left open: `json .items[].id`. */
  readonly place: string
}

/**
 * Why a rule is believed. `configured`: `mesh.yaml` says so. `certain`: a cookie that is sent back under its name, an ETag in
 * If-Match; or a value too long for chance, in two sessions or more. `likely`: such a value in one session. `repeated`: values that
 * prove nothing alone, equal in three sessions or more and hardly ever different.
 */
export const CONFIDENCES = ['configured', 'certain', 'likely', 'repeated'] as const
export type Confidence = (typeof CONFIDENCES)[number]

/** Requests of the sink's route have, in its place, what the last reply of the source's route had in its own. */
export interface Rule {
  readonly source: RulePlace
  readonly sink: RulePlace
  readonly confidence: Confidence
  /** Requests in which it held; of those that could have held it, how many had another value. */
  readonly hits: number
  readonly misses: number
  /** Sessions in which it held, and distinct values: counted up to 1,000 and 8. */
  readonly sessions: number
  readonly values: number
}

/** What is to be learnt and what is not: plain data. */
export interface CorrelateOptions {
  /** Added, and pinned: nothing else is learnt for their sinks. */
  readonly rules: readonly Pick<Rule, 'source' | 'sink'>[]
  /** Texts of rules that are not to be used, `*` for anything. */
  readonly forbidden: readonly string[]
}

/** Rules of a run are at most so many: far more than a service has routes. */
export const MAX_RULES = 4_096

/** Places whose values stay with the client, whichever route it asks next: one rule of theirs stands for all routes. */
export function sinkRoute(place: string, route: string): string {
  return place.startsWith('cookie ') || place.startsWith('header ') ? '*' : route
}

/** `POST /login json .token -> * header authorization`. */
export function ruleText({ source, sink }: Pick<Rule, 'source' | 'sink'>): string {
  return `${source.route} ${source.place} -> ${sink.route} ${sink.place}`
}

const SOURCE = /^(\*|[A-Z]+ \/\S*) ((?:cookie(?:-text)?|header|location (?:path|query)|json|html) \S.*)$/
const SINK = /^(\*|[A-Z]+ \/\S*) ((?:path|query|header|cookie|form|json) \S.*)$/

/** Reads the text of a rule. @throws MeshError MESH_ERR_USAGE where it is none. */
export function parseRule(text: string, where: string): Pick<Rule, 'source' | 'sink'> {
  const [left = '', right = ''] = text.split(' -> ')
  const [, sourceRoute, sourcePlace] = SOURCE.exec(left.trim()) ?? []
  const [, route, place] = SINK.exec(right.trim()) ?? []
  if (sourceRoute === undefined || sourcePlace === undefined || route === undefined || place === undefined) {
    throw new MeshError('MESH_ERR_USAGE', {
      what: `expected a rule such as "POST /login json .token -> * header authorization", found "${text}"`,
      where,
      remedy: 'mesh inspect --correlations shows those that are learnt',
    })
  }
  return { source: { route: sourceRoute, place: sourcePlace }, sink: { route: sinkRoute(place, route), place } }
}

/** Whether a rule is one that must not be used. */
export function isForbidden(rule: Pick<Rule, 'source' | 'sink'>, patterns: readonly string[]): boolean {
  const text = ruleText(rule)
  return patterns.some((pattern) => matchesPattern(text, pattern))
}

/** `*` stands for anything, and is found from left to right: nothing is tried twice. */
function matchesPattern(text: string, pattern: string): boolean {
  const pieces = pattern.split('*')
  const [first = ''] = pieces
  if (pieces.length === 1) return text === first
  const last = pieces.at(-1) ?? ''
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let from = first.length
  for (const piece of pieces.slice(1, -1)) {
    const at = text.indexOf(piece, from)
    if (at < 0) return false
    from = at + piece.length
  }
  return from <= text.length - last.length
}
