/** Eighths of a character's height. */
const LEVELS = '▁▂▃▄▅▆▇█'
const SHADES = ' ░▒▓█'

/** Values as one line of bars, the last `width` of them, scaled to `most`; a space where there is none. */
export function sparkline(values: readonly (number | null)[], width: number, most?: number): string {
  const shown = values.slice(-width)
  const top = most ?? Math.max(0, ...shown.map((value) => value ?? 0))
  const bars = shown.map((value) => {
    if (value === null) return ' '
    const share = top <= 0 ? 0 : Math.min(1, Math.max(0, value / top))
    return LEVELS.charAt(Math.min(LEVELS.length - 1, Math.floor(share * LEVELS.length)))
  })
  return bars.join('').padStart(width)
}

/** A share of 0 to 1 as a bar of `width` characters. */
export function progressBar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width)
  return '█'.repeat(full) + '░'.repeat(width - full)
}

/** One cell of a heat map; the root, so that few slow replies among thousands of fast ones show. */
export function shade(count: number, most: number): string {
  if (count <= 0 || most <= 0) return ' '
  return SHADES.charAt(
    Math.max(1, Math.min(SHADES.length - 1, Math.ceil(Math.sqrt(count / most) * (SHADES.length - 1)))),
  )
}
