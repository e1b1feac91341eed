import type { Terminal } from './terminal.ts'

/** A screen is looked at; a log file is read later. */
const SCREEN_MS = 1000
const LOG_MS = 30_000

/** Says how a capture goes, as often as is of use there; returns what stops it. */
export function showProgress(terminal: Terminal, line: () => string): () => void {
  const timer = setInterval(() => terminal.progress(line()), terminal.interactive ? SCREEN_MS : LOG_MS)
  return () => clearInterval(timer)
}
