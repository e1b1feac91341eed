import { MeshError } from '../../core/errors.ts'
import type { HeaderField } from '../../core/head.ts'
import { parseMultiplier } from '../../core/units.ts'
import type { Gate } from '../../measure/gates/gate.ts'
import { LEAST_PAIRS, MOST_PAIRS } from '../../measure/comparison/block-pairs.ts'
import { parseGate } from '../../measure/gates/parse-gate.ts'
import { CHECK_MODES } from '../../measure/reply-check.ts'
import type { CheckMode } from '../../measure/reply-check.ts'
import { ALIGN_MODES } from '../../replay/align.ts'
import type { AlignMode } from '../../replay/align.ts'
import { DEFAULT_MAX_RATE_PER_SECOND } from '../../replay/options.ts'
import type { Pace } from '../../replay/pacer.ts'
import { parseStages } from '../../replay/parse-stages.ts'
import type { Stages } from '../../replay/stages.ts'
import type { Flag, FlagGroups } from '../flags.ts'
import {
  choiceFlag,
  countFlag,
  durationFlag,
  intervalFlag,
  listFlag,
  multiplierFlag,
  rateFlag,
  shareFlag,
  spanFlag,
  switchFlag,
  textFlag,
  withDefault,
} from '../flags.ts'
import { targetUrl } from '../target-url.ts'
import { unsealFlag } from '../unsealing.ts'

/** How a shot's connection is chosen, and how the time until it is due is spent. */
const ORDERS = ['connection', 'none'] as const
const PACINGS = ['precise', 'eco'] as const
const CORRELATE_MODES = ['auto', 'off'] as const

/** What a measurement is that our side disturbed: a failed run, or one with a warning. */
const ON_INVALID = ['fail', 'warn'] as const

/** Gates are read a second each while a run goes on, and printed one by one. */
const MAX_GATES = 200

/** The flags of `mesh replay`. */
export type ReplayFlags = {
  readonly to: Flag<string | undefined>
  readonly plan: Flag<boolean>
  readonly amplify: Flag<number>
  readonly speed: Flag<string | undefined>
  readonly rate: Flag<number | undefined>
  readonly stages: Flag<Stages | undefined>
  readonly between: Flag<string | undefined>
  readonly match: Flag<string | undefined>
  readonly duration: Flag<number | undefined>
  readonly warmup: Flag<number>
  readonly loop: Flag<boolean>
  readonly ragged: Flag<boolean>
  readonly align: Flag<AlignMode>
  readonly jitter: Flag<number | undefined>
  readonly seed: Flag<number>
  readonly order: Flag<(typeof ORDERS)[number]>
  readonly connections: Flag<number | undefined>
  readonly maxInFlight: Flag<number | undefined>
  readonly maxRate: Flag<number>
  readonly maxErrorRate: Flag<number | undefined>
  readonly noBreaker: Flag<boolean>
  readonly timeout: Flag<number>
  readonly allowWrites: Flag<boolean>
  readonly keepReplayed: Flag<boolean>
  readonly correlate: Flag<(typeof CORRELATE_MODES)[number]>
  readonly rewrite: Flag<readonly string[]>
  readonly hook: Flag<string | undefined>
  readonly jwtKey: Flag<string | undefined>
  readonly unseal: Flag<readonly string[]>
  readonly authCommand: Flag<string | undefined>
  readonly keepHost: Flag<boolean>
  readonly header: Flag<readonly string[]>
  readonly pacing: Flag<(typeof PACINGS)[number] | undefined>
  readonly workers: Flag<number>
  readonly closed: Flag<number | undefined>
  readonly insecure: Flag<boolean>
  readonly cacert: Flag<string | undefined>
  readonly cert: Flag<string | undefined>
  readonly key: Flag<string | undefined>
  readonly sni: Flag<string | undefined>
  readonly resolve: Flag<readonly string[]>
  readonly sourceAddress: Flag<readonly string[]>
  readonly gate: Flag<readonly Gate[]>
  readonly check: Flag<CheckMode | undefined>
  readonly ignore: Flag<readonly string[]>
  readonly findCapacity: Flag<boolean>
  readonly maxMultiplier: Flag<number>
  readonly step: Flag<number>
  readonly baseline: Flag<string | undefined>
  readonly pairs: Flag<number>
  readonly against: Flag<string | undefined>
  readonly onInvalid: Flag<(typeof ON_INVALID)[number]>
  readonly exitZero: Flag<boolean>
  readonly output: Flag<string | undefined>
  readonly scrape: Flag<readonly string[]>
  readonly scrapeMatch: Flag<readonly string[]>
  readonly scrapeInterval: Flag<number>
  readonly watchPid: Flag<number | undefined>
  readonly pushOtlp: Flag<string | undefined>
  readonly noDashboard: Flag<boolean>
  readonly json: Flag<boolean>
  readonly yes: Flag<boolean>
}

export const REPLAY_FLAGS: ReplayFlags = {
  to: textFlag('to', '<url>', 'http://host:port or https://host:port'),
  plan: switchFlag('plan', 'show what would be sent, and send nothing'),
  amplify: withDefault(
    multiplierFlag('amplify', 'send every session this often; 2.5 sends half of them a third time'),
    '1x',
  ),
  speed: textFlag('speed', '<factor|max>', 'squeeze time, 2x; max sends as fast as replies come'),
  rate: rateFlag(['R', 'rate'], 'keep the shape and make the mean rate this'),
  stages: {
    ...textFlag('stages', '<stages>', 'change it over time: 2m:1x,5m:3x, 30s:100/s, or as a line 1x..3x@5m'),
    fallback: undefined,
    read: (texts, where) => parseStages(texts.at(-1) ?? '', where),
  },
  between: textFlag('between', '<14:00-14:30>', 'only requests recorded at this time'),
  match: textFlag('match', '<cel>', 'only exchanges for which this is true'),
  duration: spanFlag(['d', 'duration'], 'send for this long'),
  warmup: withDefault(durationFlag('warmup', 'send at first without measuring'), '0s'),
  loop: switchFlag('loop', 'start a recording over when it ends, until --duration'),
  ragged: switchFlag('ragged', 'end with the longest, not the shortest'),
  align: withDefault(choiceFlag('align', ALIGN_MODES, 'how they lie on one timeline'), 'auto'),
  jitter: durationFlag('jitter', 'shift clones by up to this (default 5s, or a twentieth of the run)'),
  seed: withDefault(countFlag('seed', 'equal seeds give equal runs', 0, 0xffff_ffff), '1'),
  order: withDefault(
    choiceFlag('order', ORDERS, "wait for the connection's last reply, or take a spare one"),
    'connection',
  ),
  connections: countFlag(['c', 'connections'], 'connections at a time at most (default 10000; 50 at --speed max)'),
  maxInFlight: countFlag('max-in-flight', 'shots unanswered at a time; more are shed and counted (default 10000)'),
  maxRate: withDefault(rateFlag('max-rate', 'refuse a plan with a higher peak'), `${DEFAULT_MAX_RATE_PER_SECOND}/s`),
  maxErrorRate: shareFlag(
    'max-error-rate',
    'stop (exit 5) above this share of errors in 10 s, 100 shots or more; or at 20 errors in a row in 10 s or more (default 50%)',
  ),
  noBreaker: switchFlag('no-breaker', 'go on whatever the share of errors'),
  timeout: withDefault(spanFlag('timeout', 'give a reply up after this'), '30s'),
  allowWrites: switchFlag('allow-writes', 'send POST, PUT, DELETE and the like too'),
  keepReplayed: switchFlag('keep-replayed', 'send what an earlier replay had sent, too'),
  correlate: withDefault(
    choiceFlag(
      'correlate',
      CORRELATE_MODES,
      'replace recorded ids and tokens by those that the target issues, or send them',
    ),
    'auto',
  ),
  rewrite: listFlag(
    'rewrite',
    '<rule>',
    "change requests before they are planned: 'path s|^/v1/|/v2/|', 'POST /orders header x-shop = 2'",
  ),
  hook: textFlag(
    'hook',
    '<file>',
    'a module whose function request(request) changes them, or gives false to leave one out',
  ),
  unseal: unsealFlag('send'),
  jwtKey: textFlag('jwt-key', '<file>', 'sign JSON Web Tokens anew, exp, iat and nbf shifted: a secret, or a PEM key'),
  authCommand: textFlag('auth-command', '<command>', 'set Authorization to what it prints, again before that is over'),
  keepHost: switchFlag('keep-host', 'keep the recorded Host header'),
  header: listFlag(['H', 'header'], '<name: value>', 'set a header on every request; an empty value removes it'),
  pacing: choiceFlag('pacing', PACINGS, 'precise spins (default with 2 CPUs or more), eco sleeps'),
  workers: withDefault(countFlag('workers', 'sending threads, sharded by session', 1, 64), '1'),
  closed: countFlag(
    'closed',
    "measure the ceiling with autocannon's closed loop over n connections instead",
    1,
    10_000,
  ),
  insecure: switchFlag(['k', 'insecure'], 'take any certificate'),
  cacert: textFlag('cacert', '<file>', 'trust this authority (PEM)'),
  cert: textFlag('cert', '<file>', 'client certificate (PEM)'),
  key: textFlag('key', '<file>', 'and its key'),
  sni: textFlag('sni', '<name>', 'the name to ask for in TLS (default the host)'),
  resolve: listFlag('resolve', '<host:port:address>', 'connect to this address for that host'),
  sourceAddress: listFlag('source-address', '<ip>', 'connect from this address; several take turns'),
  gate: {
    ...listFlag('gate', '<gate>', 'what has to hold, p99 < 250ms, else exit 3; mesh.yaml may list gates: too'),
    fallback: [],
    read: readGates,
  },
  check: choiceFlag('check', CHECK_MODES, 'compare replies with the recorded ones, and count what differs'),
  ignore: listFlag('ignore', '<field>', "a field that may differ: body.updatedAt, 'GET /orders/:id body.total'"),
  findCapacity: switchFlag(
    'find-capacity',
    'search the greatest multiplier at which all gates hold, from --amplify on',
  ),
  maxMultiplier: withDefault(multiplierFlag('max-multiplier', 'try no more than this (--find-capacity)'), '64x'),
  step: withDefault(
    spanFlag('step', 'measure each step or block for this long; steps longer where gates need it'),
    '15s',
  ),
  baseline: textFlag('baseline', '<url>', 'send blocks of the same requests there and to --to in turns, and compare'),
  against: textFlag('against', '<dir>', 'judge by the comparable earlier runs in this directory, five or more'),
  pairs: withDefault(countFlag('pairs', 'pairs of blocks of a comparison', LEAST_PAIRS, MOST_PAIRS), '12'),
  onInvalid: withDefault(choiceFlag('on-invalid', ON_INVALID, 'what a measurement is that our side disturbed'), 'fail'),
  exitZero: switchFlag('exit-zero', 'end with 0 whatever gates, verdict and breaker say'),
  output: textFlag(
    ['o', 'output'],
    '<dir>',
    'keep the run here: run.json, report.html, junit.xml, summary.md and more',
  ),
  scrape: {
    ...listFlag('scrape', '<url>', "read the target's Prometheus metrics while it is under load, into the report"),
    fallback: [],
    read: (texts) => texts.map((text) => serviceUrl(text, '--scrape', '/metrics')),
  },
  scrapeMatch: listFlag('scrape-match', '<name>', 'which of them, * is anything (default CPU, memory and the like)'),
  scrapeInterval: withDefault(intervalFlag('scrape-interval', 'how often'), '2s'),
  watchPid: countFlag('watch-pid', 'and of a process on this machine: CPU, memory, descriptors, threads'),
  pushOtlp: {
    ...textFlag('push-otlp', '<url>', 'push the result to an OpenTelemetry collector (OTLP/HTTP, JSON)'),
    read: (texts) => serviceUrl(texts.at(-1) ?? '', '--push-otlp', '/v1/metrics'),
  },
  noDashboard: switchFlag('no-dashboard', 'a line a second instead of the dashboard that a terminal gets'),
  json: switchFlag('json', 'print run.json instead of the text report'),
  yes: switchFlag(['y', 'yes'], 'run plans that need a confirmation'),
}

/** How the help shows them. */
export const REPLAY_GROUPS: FlagGroups<ReplayFlags> = {
  'What to replay:': ['match', 'between', 'align', 'ragged', 'correlate', 'rewrite', 'hook', 'keepReplayed'],
  'How much, and how fast:': [
    'amplify',
    'speed',
    'rate',
    'stages',
    'duration',
    'warmup',
    'loop',
    'order',
    'connections',
    'maxInFlight',
    'timeout',
    'closed',
  ],
  'Target:': [
    'to',
    'header',
    'authCommand',
    'jwtKey',
    'unseal',
    'keepHost',
    'insecure',
    'cacert',
    'cert',
    'key',
    'sni',
    'resolve',
    'sourceAddress',
  ],
  'Capacity and comparison:': ['findCapacity', 'maxMultiplier', 'baseline', 'pairs', 'step', 'against'],
  'Safety:': ['plan', 'allowWrites', 'maxRate', 'maxErrorRate', 'noBreaker', 'yes'],
  'Response check:': ['check', 'ignore'],
  'Gates:': ['gate', 'onInvalid', 'exitZero'],
  'Target under load:': ['scrape', 'scrapeMatch', 'scrapeInterval', 'watchPid'],
  'Output:': ['output', 'json', 'pushOtlp', 'noDashboard'],
  'Generator:': ['workers', 'pacing', 'jitter', 'seed'],
}

/** @throws MeshError MESH_ERR_USAGE or MESH_ERR_UNIT for the first that is no gate. */
export function readGates(texts: readonly string[], where: string): readonly Gate[] {
  if (texts.length > MAX_GATES) {
    throw new MeshError('MESH_ERR_USAGE', { what: `expected at most ${MAX_GATES} gates, found ${texts.length}`, where })
  }
  return texts.map((text) => parseGate(text, where))
}

/** A URL beside the target's; where only a host is named, with the usual path. */
function serviceUrl(text: string, where: string, path: string): string {
  const url = new URL(targetUrl(text, where))
  if (url.pathname === '/') url.pathname = path
  return url.href
}

/** `--speed` and `--rate` exclude each other; neither is the recorded speed. */
export function paceOf(speed: string | undefined, rate: number | undefined): Pace {
  if (speed !== undefined && rate !== undefined) {
    throw new MeshError('MESH_ERR_USAGE', { what: '--speed and --rate exclude each other', remedy: 'give one of them' })
  }
  if (rate !== undefined) return { kind: 'rate', perSecond: rate }
  if (speed === 'max') return { kind: 'max' }
  return { kind: 'speed', speed: speed === undefined ? 1 : parseMultiplier(speed, '--speed') }
}

/** `Name: value`; `Name:` removes the header, as in curl. */
export function headerOf(text: string): HeaderField {
  const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*)$/.exec(text) ?? []
  if (name === undefined || value === undefined) {
    throw new MeshError('MESH_ERR_USAGE', { what: `expected "Name: value", found "${text}"`, where: '--header' })
  }
  return { name, value: value.trim() }
}
