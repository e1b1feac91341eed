/** A number with thousands separators: `61,234`. */
export function count(value) {
  if (!Number.isFinite(value)) return '-'
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** Nanoseconds as milliseconds with three decimals. */
export function milliseconds(ns) {
  return Number.isFinite(ns) ? (ns / 1e6).toFixed(3) : '-'
}

export function decimals(value, digits = 2) {
  return Number.isFinite(value) ? value.toFixed(digits) : '-'
}

/** `a / b` with two decimals; a dash where either is unknown. */
export function ratio(a, b) {
  return decimals(a / b)
}

/** A Markdown table, its columns padded so that it reads in a terminal too: the first to the left, numbers to the right. */
export function markdownTable(columns, rows) {
  const widths = columns.map((title, at) => Math.max(3, title.length, ...rows.map((row) => row[at].length)))
  const line = (cells) =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join(' | ')} |`
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(columns), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n')
}
