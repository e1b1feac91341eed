import type { DashboardFacts } from './facts.ts'
import { drawnFrame } from './drawn-frame.ts'
import { beside, line, type Part, stack } from './parts.ts'
import {
  gatesSection,
  headSection,
  healthSection,
  heatSection,
  keysSection,
  latencySection,
  notesSection,
  rateSection,
  repliesSection,
  routesSection,
} from './sections.ts'

/** Columns from which charts and tables stand beside each other. */
const WIDE_COLUMNS = 140
const GAP = 3

/** Smaller terminals get a frame that does not fit: then its end is missing. */
const LEAST_COLUMNS = 40
const LEAST_ROWS = 10

/** One frame of the dashboard: exactly as many lines as the terminal has, none wider. Pure. */
export function frameLines(facts: DashboardFacts): readonly string[] {
  const columns = Math.max(LEAST_COLUMNS, facts.columns)
  const rows = Math.max(LEAST_ROWS, facts.rows)
  // A character in the last column makes some terminals begin a new line.
  const lines = drawnFrame(frame(facts, columns - 1, rows), columns - 1)
  const shown = lines.slice(0, facts.rows)
  while (shown.length < facts.rows) shown.push('')
  return shown
}

function frame(facts: DashboardFacts, width: number, rows: number): Part {
  const head = headSection(facts, width)
  const notes = notesSection(facts, width, rows >= 40 ? 4 : 1)
  const body = rows - head.length - notes.length - 1
  const parts = facts.view === 'all' ? allOf(facts, width, body) : [viewOf(facts, width, body)]
  return stack([...head, ...parts, ...notes, keysSection(facts)])
}

function allOf(facts: DashboardFacts, width: number, rows: number): readonly Part[] {
  return width >= WIDE_COLUMNS ? [wide(facts, width, rows)] : [narrow(facts, width, rows)]
}

/** Below each other, the less important shorter; whole sections are left out from the end where there is no room. */
function narrow(facts: DashboardFacts, width: number, rows: number): Part {
  const rate = rateSection(facts, width).slice(rows < 30 ? 1 : 0)
  const latency = latencySection(facts, width)
  const health = healthSection(facts, width)
  const replies = repliesSection(facts, width, 3).slice(rows < 30 ? 1 : 0)
  const left = rows - rate.length - latency.length - health.length - replies.length
  const gateRows = facts.gates.length === 0 ? 0 : Math.min(facts.gates.length + 1, Math.max(2, Math.floor(left / 3)))
  const rest = left - gateRows
  const routeRows = Math.max(2, Math.min(facts.routes.length + 1, Math.floor(rest / 2)))
  const heatRows = rest - routeRows
  return filled(
    [
      ...rate,
      ...latency,
      ...heatSection(facts, width, Math.min(12, heatRows - (rows < 30 ? 0 : 1))).slice(rows < 30 ? 1 : 0),
      ...replies,
      ...routesSection(facts, width, routeRows),
      ...gatesSection(facts, width, gateRows),
      ...health,
    ],
    rows,
  )
}

/** Charts on the left, tables on the right. */
function wide(facts: DashboardFacts, width: number, rows: number): Part {
  const leftWidth = 86
  const rightWidth = width - leftWidth - GAP
  const charts = [...rateSection(facts, leftWidth), blank(), ...latencySection(facts, leftWidth), blank()]
  const heat = heatSection(facts, leftWidth, Math.min(20, rows - charts.length - 1))
  const health = healthSection(facts, rightWidth)
  const gates = gatesSection(facts, rightWidth, Math.min(12, Math.floor(rows / 3)))
  const replies = repliesSection(facts, rightWidth, 8)
  const fixed = health.length + gates.length + replies.length + 3
  const tables = [
    ...health,
    blank(),
    ...gates,
    ...(gates.length === 0 ? [] : [blank()]),
    ...replies,
    blank(),
    ...routesSection(facts, rightWidth, Math.max(3, rows - fixed)),
  ]
  return beside(
    [
      { width: leftWidth, parts: filledParts([...charts, ...heat], rows) },
      { width: rightWidth, parts: tables.slice(0, rows) },
    ],
    GAP,
  )
}

function viewOf(facts: DashboardFacts, width: number, rows: number): Part {
  if (facts.view === 'help') return filled(helpLines(), rows)
  if (facts.view === 'routes') return filled(routesSection(facts, width, rows), rows)
  return filled(
    [...repliesSection(facts, width, Math.max(4, rows - 12)), blank(), ...failingRoutes(facts, width)],
    rows,
  )
}

/** Routes that fail, the worst first. */
function failingRoutes(facts: DashboardFacts, width: number): readonly Part[] {
  const routes = facts.routes.filter(({ failures }) => failures > 0).toSorted((a, b) => b.failures - a.failures)
  return routes.length === 0 ? [] : routesSection({ ...facts, routes }, width, 11)
}

/** None is cut at 80 columns. */
function helpLines(): readonly Part[] {
  return [
    line(['KEYS', { weight: 'bold' }]),
    line('  q       stop: send no more, wait for replies, report; once more ends it now'),
    line('          (Ctrl-C does the same)'),
    line('  p       pause: nothing is sent until p again; what was under way is answered'),
    line('  + -     a tenth more or less than planned, from now on. The report says when'),
    line('  r       the routes, the slowest first'),
    line('  e       replies by status, errors, and the routes that fail'),
    line('  esc     back to everything'),
    line(),
    line(['WORDS', { weight: 'bold' }]),
    line('  due, sent, done   requests that should have left, that did; replies'),
    line('  RESPONSE          from when a request was due to its reply: what a user feels'),
    line('  now, run          of the last second, and of the run so far'),
    line('  GENERATOR         this machine: red before its lateness spoils numbers'),
    line('  GATES             as they would be judged now; they are at the end'),
  ]
}

function blank(): Part {
  return line()
}

function filled(parts: readonly Part[], rows: number): Part {
  return stack(filledParts(parts, rows))
}

function filledParts(parts: readonly Part[], rows: number): readonly Part[] {
  return [...parts.slice(0, rows), ...Array.from({ length: Math.max(0, rows - parts.length) }, blank)]
}
