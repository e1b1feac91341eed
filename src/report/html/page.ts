import { visible } from '../../core/visible.ts'
import type { VerdictName } from '../../measure/validity.ts'
import { verdictText } from '../fact-rows.ts'
import { element, type Markup } from '../markup.ts'
import type { Run } from '../run.ts'
import type { RunSeries } from '../series.ts'
import { capacitySection } from './capacity.ts'
import { comparisonSection } from './comparison.ts'
import { chartSections } from './charts.ts'
import { targetCharts } from './target-charts.ts'
import { checkSection } from './check.ts'
import { slowestSection } from './slowest.ts'
import {
  environmentSection,
  factsSection,
  gatesSection,
  healthSection,
  latencySection,
  routesSection,
  stagesSection,
  targetSection,
} from './tables.ts'

const BAND_COLOURS: Readonly<Record<VerdictName, string>> = {
  VALID: '#228833',
  SATURATED: '#b07d00',
  INVALID: '#c33149',
}

/** Pixels; charts are drawn for it. */
const PAGE_WIDTH = 960

/**
 * The report as one page that needs nothing else: no network, no script and no style sheet, which Jenkins' default policy forbids
 * (`sandbox; default-src 'none'; style-src 'self'`). It looks the same there and from a disk: tables, headings and charts have
 * presentation attributes, and light or dark is the reader's system's choice.
 */
export function reportPage(run: Run, series: RunSeries): string {
  const title = `${run.verdict.name}: mesh replay > ${visible(run.asked.target)}`
  const head = element(
    'head',
    {},
    element('meta', { charset: 'utf-8' }),
    element('meta', { name: 'viewport', content: `width=${PAGE_WIDTH}` }),
    element('meta', { name: 'color-scheme', content: 'light dark' }),
    element('title', {}, title),
  )
  const unread =
    series.unread === 0
      ? undefined
      : element('p', {}, `${series.unread} lines of intervals.ndjson could not be read: charts lack them.`)
  const sections = [
    verdictSection(run),
    capacitySection(run),
    comparisonSection(run),
    gatesSection(run),
    factsSection(run),
    stagesSection(run),
    latencySection(run),
    unread,
    chartSections(run, series),
    targetSection(run),
    targetCharts(run, series),
    routesSection(run, series),
    slowestSection(run),
    checkSection(run),
    healthSection(run),
    environmentSection(run),
  ]
  const text = element('font', { face: 'system-ui, sans-serif', size: 3 }, sections)
  const row = element('tr', {}, element('td', {}, text))
  const body = element('body', {}, element('table', { width: PAGE_WIDTH, align: 'center', border: 0 }, row))
  return `<!doctype html>\n${element('html', { lang: 'en' }, head, body).text}\n`
}

/** The verdict as a band that nobody overlooks, and why. */
function verdictSection({ verdict, interrupted, asked }: Run): Markup {
  const { name, reasons } = verdict
  const words = `${name}${interrupted ? ' (interrupted)' : ''}`
  const band = element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', viewBox: '0 0 900 46', width: '100%', role: 'img' },
    element('title', {}, words),
    element('rect', { width: 900, height: 46, rx: 5, fill: BAND_COLOURS[name] }),
    element(
      'text',
      { x: 18, y: 31, fill: '#ffffff', 'font-family': 'system-ui, sans-serif', 'font-size': 22, 'font-weight': 700 },
      words,
    ),
  )
  const list = reasons.map(({ what, remedy }) =>
    element('li', {}, visible(what), remedy === '' ? undefined : element('em', {}, ` Try: ${visible(remedy)}`)),
  )
  return element(
    'header',
    {},
    element('h2', {}, `mesh replay > ${visible(asked.target)}`),
    band,
    element('p', {}, element('strong', {}, verdictText(verdict))),
    list.length === 0 ? undefined : element('ul', {}, list),
  )
}
