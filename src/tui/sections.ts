import { formatCount, formatDurationNs, formatRate } from '../core/units.ts'
import { visible } from '../core/visible.ts'
import type { QuantileName } from '../measure/figures.ts'
import { countsText, durationCell, middleCut, percentCell, quantileCell } from '../report/cells.ts'
import { failsRun } from '../report/gate-words.ts'
import { progressBar, shade, sparkline } from './bars.ts'
import { type DashboardFacts, SHOWN_SECONDS, type ShownSecond } from './facts.ts'
import { beside, type Line, line, type Look, type Part, type Piece } from './parts.ts'

/** Parts of the dashboard, each a list of lines of at most `width` characters. */

const DIM: Look = { weight: 'dim' }
const BOLD: Look = { weight: 'bold' }

/** What is replayed onto what, how far it is, and what it does. Three lines. */
export function headSection(facts: DashboardFacts, width: number): readonly Part[] {
  const { elapsedNs, leftNs, progress, stage, target } = facts
  const left = leftNs === null ? '' : `, ${wholeSeconds(leftNs)} left`
  const clock = `${wholeSeconds(elapsedNs)}${left}`
  const title = middleCut(visible(`mesh replay > ${target}`), Math.max(20, width - clock.length - 2))
  const gap = ' '.repeat(Math.max(2, width - title.length - clock.length))
  const percent = progress === null ? '' : ` ${percentCell(progress)}`.padStart(6)
  const beside = stage === '' ? '' : `  ${stage}`
  const barWidth = Math.max(10, width - percent.length - beside.length)
  const bar = progress === null ? 'no end of its own: q stops it' : progressBar(progress, barWidth)
  return [line([title, BOLD], gap, clock), line([bar, { colour: 'blue' }], percent, beside), line(...stateLine(facts))]
}

function wholeSeconds(ns: number): string {
  return ns < 1e9 ? '0s' : formatDurationNs(Math.round(ns / 1e9) * 1e9).replace(/\.\d+s$/, 's')
}

function stateLine({ state, speed, unanswered, connections, seconds }: DashboardFacts): Piece[] {
  const last = seconds.at(-1)
  const failed = last?.failures ?? 0
  const pieces: Piece[] = []
  if (state !== 'running') pieces.push([` ${state.toUpperCase()} `, { inverse: true, weight: 'bold' }], '  ')
  if (speed === 0) pieces.push([' PAUSED by you ', { inverse: true, weight: 'bold' }], '  ')
  else if (speed !== 1)
    pieces.push([` ${Number(speed.toPrecision(3))}x the planned rate, by you `, { inverse: true }], '  ')
  pieces.push(`${formatCount(unanswered)} unanswered, ${formatCount(connections)} connections`)
  if (failed > 0)
    pieces.push('  ', [`${formatCount(failed)} failed in the last second`, { colour: 'red', weight: 'bold' }])
  return pieces
}

const LABEL = 5

/** Offered against achieved, by the second. */
export function rateSection({ seconds, loop }: DashboardFacts, width: number): readonly Part[] {
  const rows: readonly (readonly [label: string, values: readonly number[], look: Look])[] = [
    ...(loop === 'open'
      ? ([
          ['due', seconds.map(({ due }) => due), { colour: 'gray' }],
          ['sent', seconds.map(({ sent }) => sent), { colour: 'blue' }],
        ] as const)
      : []),
    ['done', seconds.map(({ replies }) => replies), { colour: 'green' }],
  ]
  const most = Math.max(1, ...rows.flatMap(([, values]) => values))
  const bars = barsWidth(width)
  return [
    line(['RATE', BOLD], ['  requests due, requests sent, replies', DIM]),
    ...rows.map(([label, values, look]) => {
      const cell = values.length === 0 ? '-' : formatRate(values.at(-1) ?? 0)
      return line(label.padEnd(LABEL), cell.padStart(FIGURES), ' ', [sparkline(values, bars, most), look])
    }),
  ]
}

/** Two columns of figures beside a sparkline. */
const FIGURES = 16

function barsWidth(width: number): number {
  return Math.max(10, Math.min(SHOWN_SECONDS, width - LABEL - FIGURES - 1))
}

const PERCENTILES: readonly (readonly [label: string, name: QuantileName & keyof ShownSecond, look: Look])[] = [
  ['p50', 'p50Ns', { colour: 'blue' }],
  ['p90', 'p90Ns', { colour: 'yellow' }],
  ['p99', 'p99Ns', { colour: 'red' }],
  ['p99.9', 'p999Ns', { colour: 'magenta' }],
]

/** Response times: the last second, the run so far, and how they went. */
export function latencySection({ seconds, total }: DashboardFacts, width: number): readonly Part[] {
  const bars = barsWidth(width)
  const heads = 'now'.padStart(8) + 'run'.padStart(8)
  return [
    line(['RESPONSE'.padEnd(LABEL + 3), BOLD], [`${heads.slice(3)} the last ${Math.min(bars, SHOWN_SECONDS)} s`, DIM]),
    ...PERCENTILES.map(([label, name, look]) => {
      const now = durationCell(seconds.at(-1)?.[name] ?? null).padStart(8)
      const run = quantileCell(total.responseTime, name).padStart(8)
      const values = seconds.map((second) => second[name])
      return line(label.padEnd(LABEL), now, [run, BOLD], ' ', [sparkline(values, bars), look])
    }),
  ]
}

/** How many replies took how long, the slowest on top: `height` lines and a heading. */
export function heatSection({ seconds }: DashboardFacts, width: number, height: number): readonly Part[] {
  const bars = barsWidth(width)
  const shown = seconds.slice(-bars)
  const octaves = shown.flatMap((second) => second.octaves.map(([octave]) => octave))
  const head = line(['HEAT', BOLD], ['  how many replies took how long', DIM])
  if (octaves.length === 0 || height < 1) return [head]
  const least = Math.min(...octaves)
  const perRow = Math.ceil((Math.max(...octaves) + 1 - least) / height)
  const rows = Math.ceil((Math.max(...octaves) + 1 - least) / perRow)
  const counts = Array.from({ length: rows }, () => shown.map(() => 0))
  for (const [place, second] of shown.entries()) {
    for (const [octave, count] of second.octaves) {
      const row = counts[Math.floor((octave - least) / perRow)]
      if (row !== undefined) row[place] = (row[place] ?? 0) + count
    }
  }
  const most = Math.max(...counts.flat())
  const lines = counts.map((row, index) => {
    const from = durationCell(2 ** (least + index * perRow))
    const cells = row
      .map((count) => shade(count, most))
      .join('')
      .padStart(bars)
    return line([`from ${from}`.padStart(LABEL + FIGURES), DIM], ' ', [cells, { colour: 'cyan' }])
  })
  return [head, ...lines.toReversed()]
}

/** Replies by status, what had none, and where replies differ from the recorded ones. */
export function repliesSection({ total, check }: DashboardFacts, width: number, height: number): readonly Part[] {
  const differing = total.mismatches === 0 ? '' : `, ${formatCount(total.mismatches)} not as recorded`
  const errors = Object.entries(total.errors)
  const head = line(['REPLIES', BOLD], `  ${formatCount(total.replies)}${differing}`)
  const checked = check === '' ? [] : [line(['CHECK  ', BOLD], middleCut(visible(check), width - 7))]
  if (height <= 3) {
    const text = countsText(total.errors)
    return [
      head,
      line(middleCut(`  ${statusText(total.statuses, total.replies)}`, width)),
      text === '' ? line(['  no errors', DIM]) : line([middleCut(`  ${text}`, width), { colour: 'red' }]),
      ...checked,
    ]
  }
  const statuses = Object.entries(total.statuses).slice(0, height - 2)
  return [
    head,
    ...statuses.map(([status, count]) =>
      line(`  ${status}  ${formatCount(count).padStart(11)}  ${percentCell(count / total.replies)}`),
    ),
    ...(errors.length === 0 ? [line(['  no errors', DIM])] : []),
    ...errors
      .slice(0, Math.max(1, height - 1 - statuses.length))
      .map(([name, count]) => line(['  ', DIM], [`${name.padEnd(18)} ${formatCount(count)}`, { colour: 'red' }])),
    ...checked,
  ]
}

function statusText(statuses: DashboardFacts['total']['statuses'], replies: number): string {
  return Object.entries(statuses)
    .map(([status, count]) => `${status} ${percentCell(count / replies)}`)
    .join('  ')
}

/** The slowest routes: `height` lines, the heading included. */
export function routesSection({ routes }: DashboardFacts, width: number, height: number): readonly Part[] {
  const name = Math.max(16, width - 34)
  const heads = 'replies'.padStart(10) + 'failed'.padStart(8) + 'p50'.padStart(8) + 'p99'.padStart(8)
  // Names in a column of their own: wide characters in one do not move its figures.
  const row = (label: Line, figures: Line): Part =>
    beside(
      [
        { width: name, parts: [label] },
        { width: Math.max(0, width - name), parts: [figures] },
      ],
      0,
    )
  return [
    row(line(['SLOWEST ROUTES', BOLD]), line([heads, DIM])),
    ...routes.slice(0, Math.max(1, height - 1)).map((route) => {
      const failed: Piece = [formatCount(route.failures).padStart(8), route.failures > 0 ? { colour: 'red' } : DIM]
      const times = durationCell(route.p50Ns).padStart(8) + durationCell(route.p99Ns).padStart(8)
      const label = middleCut(visible(route.name), name - 1)
      return row(line(label), line(formatCount(route.replies).padStart(10), failed, times))
    }),
  ]
}

/** The longest mark of a gate, and a space. */
const GATE_MARK_COLUMNS = 10

/** Gates as they would be judged now. */
export function gatesSection({ gates }: DashboardFacts, width: number, height: number): readonly Part[] {
  if (gates.length === 0) return []
  // What fails is what one wants to see.
  const sorted = gates.toSorted((a, b) => Number(b.outcome === 'failed') - Number(a.outcome === 'failed'))
  const room = Math.max(1, height - 1)
  const held = gates.filter(({ outcome }) => outcome === 'passed').length
  return [
    line(['GATES', BOLD], [`  ${held} of ${gates.length} would pass now`, DIM]),
    ...sorted.slice(0, room).map((gate) => {
      const [mark, look] = gateMark(gate.outcome, failsRun(gate))
      return line(
        [mark.padEnd(GATE_MARK_COLUMNS), look],
        middleCut(visible(gateText(gate)), Math.max(20, width - GATE_MARK_COLUMNS)),
      )
    }),
  ]
}

function gateMark(outcome: string, fails: boolean): readonly [string, Look] {
  if (outcome === 'passed') return ['holds', { colour: 'green' }]
  if (outcome === 'no_data') return ['too early', DIM]
  return fails ? ['FAILS', { colour: 'red', weight: 'bold' }] : ['warns', { colour: 'yellow' }]
}

function gateText({ gate, what }: DashboardFacts['gates'][number]): string {
  return `${gate}  (${what})`
}

const HEALTH_LOOKS: Readonly<Record<DashboardFacts['health']['level'], Look>> = {
  good: { colour: 'green' },
  near: { colour: 'red', weight: 'bold' },
  bad: { colour: 'red', weight: 'bold', inverse: true },
}
const HEALTH_WORDS: Readonly<Record<DashboardFacts['health']['level'], string>> = {
  good: 'fine',
  near: 'close to making the run INVALID',
  bad: 'the run would be INVALID',
}

/** Our own side: red before numbers become invalid. */
export function healthSection({ health, seconds }: DashboardFacts, width: number): readonly Part[] {
  const wait = health.waitShare === undefined ? '' : `, waits for a CPU ${percentCell(health.waitShare)}`
  const late = health.loopDelayP99Ns === undefined ? '' : `, loop late ${durationCell(health.loopDelayP99Ns)}`
  const figures = `lag p99 ${durationCell(seconds.at(-1)?.lagP99Ns ?? null)}${wait}${late}`
  return [
    line(['GENERATOR ', BOLD], [` ${HEALTH_WORDS[health.level]} `, HEALTH_LOOKS[health.level]], ['  ', DIM], figures),
    ...health.reasons.slice(0, 1).map((reason) => line([middleCut(`  ${visible(reason)}`, width), { colour: 'red' }])),
  ]
}

/** What was said since the dashboard has the screen. */
export function notesSection({ notes }: DashboardFacts, width: number, height: number): readonly Part[] {
  return notes.slice(-Math.max(0, height)).map((note) => line([middleCut(visible(note), width), { colour: 'yellow' }]))
}

/** The line of keys. */
export function keysSection({ keys, speed, view }: DashboardFacts): Part {
  if (!keys) return line(['no keyboard: Ctrl-C elsewhere, or kill -INT, stops the run', DIM])
  const back = view === 'all' ? '' : '  esc back'
  return line([
    `q stop and report  p ${speed === 0 ? 'go on' : 'pause'}  + - rate  r routes  e errors  ? help${back}`,
    DIM,
  ])
}
