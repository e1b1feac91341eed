import { readFileSync, writeSync } from 'node:fs'
import { toMeshError } from '../core/errors.ts'
import { visible, visibleLines } from '../core/visible.ts'

/**
 * What the command line says: results go to stdout, all talk to stderr, without anything that a terminal would obey: names in it come
 * from recordings of others. One object, handed to every verb, so that tests and the demo can listen.
 */
export interface Terminal {
  /** Result text, as it is. */
  out(text: string): void
  /** One line of talk: progress, a warning, where something was written. Silent under `--quiet`. */
  say(line: string): void
  /** One line that is printed even under `--quiet`. */
  warn(line: string): void
  /** Replaces the last progress line on a terminal; elsewhere the same as `say`. */
  progress(line: string): void
  /** Writes escape sequences and text to stderr, for a dashboard that has the screen. */
  draw(text: string): void
  /** Lines of talk go to `listener` from now on, instead of to a screen that something else has; undefined: to stderr again. */
  divert(listener: ((line: string) => void) | undefined): void
  /** A dashboard may take the screen: it is a terminal that shows colours, ours to read keys from, and nobody asked for silence. */
  readonly drawable: boolean
  /** stderr is a terminal: progress may redraw. */
  readonly interactive: boolean
  /** Results may be coloured. */
  readonly colour: boolean
  /** Columns of the terminal that shows results; 80 where there is none. */
  readonly columns: number
}

/** The process's own terminal. Writes are synchronous: what was said is out even if the process ends next. */
export function processTerminal(quiet: boolean): Terminal {
  const interactive = process.stderr.isTTY && process.env['TERM'] !== 'dumb' && (process.env['CI'] ?? '') === ''
  let open = false
  let diverted: ((line: string) => void) | undefined
  const line = (text: string): void => {
    if (diverted !== undefined) return diverted(text)
    writeAll(2, `${open ? '\r\u001B[K' : ''}${visibleLines(text)}\n`)
    open = false
  }
  return {
    interactive,
    get drawable() {
      return interactive && !quiet && (process.env['NO_COLOR'] ?? '') === '' && isInForeground()
    },
    draw: (text) => writeAll(2, text),
    divert(listener) {
      diverted = listener
    },
    colour: process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '',
    columns: process.stdout.isTTY ? process.stdout.columns : 80,
    out(text) {
      if (open) writeAll(2, '\r\u001B[K')
      open = false
      writeAll(1, text)
    },
    say(text) {
      if (!quiet) line(text)
    },
    warn: line,
    progress(text) {
      if (quiet) return
      if (!interactive) return line(text)
      writeAll(2, `\r\u001B[K${visible(text).slice(0, Math.max(20, process.stderr.columns - ECHO_COLUMNS))}`)
      open = true
    },
  }
}

/**
 * A job in the background that reads the terminal, or changes how it works, is stopped by it. Linux tells which process group has it
 * (proc(5): fields 5 and 8 of `stat`, counted behind the name); elsewhere it is taken to be ours.
 */
function isInForeground(): boolean {
  try {
    const fields = readFileSync('/proc/self/stat', 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[2] === fields[5]
  } catch {
    return true
  }
}

/** Writes to stdout as a terminal's `out` does: for the help, which is asked for before there is a verb. */
export function writeResult(text: string): void {
  writeAll(1, text)
}

/** Writes everything, waiting for a slow reader; a reader that left (`| head`) ends the output without a word. */
function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text)
  let written = 0
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (code === 'EAGAIN') Atomics.wait(PAUSE, 0, 0, 5)
      else if (code === 'EPIPE' || descriptor !== 1) return
      else throw toMeshError(error, 'stdout')
    }
  }
}

/** Beside a progress line there is room for the `^C` that terminals echo: beyond the last column it would leave the line's row behind. */
const ECHO_COLUMNS = 3

const PAUSE = new Int32Array(new SharedArrayBuffer(4))
