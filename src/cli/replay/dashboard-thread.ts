import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { DashboardFacts } from '../../tui/facts.ts'
import { frameLines } from '../../tui/frame.ts'
import { ScreenUpdate } from '../../tui/screen-update.ts'

/**
 * The thread that draws the dashboard: takes facts, writes to the terminal, and says `drawn`. Layout may take milliseconds, and a
 * terminal that is slow to read may hold a write up: neither is to happen on a thread that feeds senders.
 */
const port = parentPort
const open: Int32Array = workerData
const update = new ScreenUpdate()
let size = ''

port?.on('message', (facts: DashboardFacts) => {
  const { columns, rows } = facts
  if (size !== `${columns}x${rows}`) update.forget()
  size = `${columns}x${rows}`
  write(update.to(frameLines(facts)))
  port.postMessage('drawn')
})

/** Nothing any more when the main thread has given the terminal back. */
function write(text: string): void {
  let bytes = Buffer.from(text)
  while (bytes.length > 0 && Atomics.load(open, 0) === 1) {
    try {
      bytes = bytes.subarray(writeSync(2, bytes))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Atomics.wait(open, 0, 1, 5)
    }
  }
}
