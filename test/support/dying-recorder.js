/**
 * Preloaded into a tap (`node --import`): its recording thread dies, as real ones do, of the fault that is written to
 * RECORDER_FAULT_FILE, when it is. Nothing else of the process is touched. The thread cannot be killed from outside: a SIGKILL, to
 * whichever thread, ends its whole process.
 */
import { readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const LOOK_EVERY_MS = 20

/** 8 MB, in which a collector finds nothing to follow: it takes a second or two to fill a heap, not a minute. */
const DOUBLES = 1_000_000

const FAULTS = {
  /** A mistake of ours. */
  exception() {
    throw new Error('the fault of a test')
  },
  /** More than its heap may hold: the engine ends the thread without letting it run another line, as SIGKILL would. */
  heap() {
    const doubles = Array.from({ length: DOUBLES }, () => 0.5)
    const held = []
    for (;;) held.push(doubles.slice())
  },
  /** It neither dies nor works. */
  hang() {
    for (;;);
  },
}

function readFault(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const path = process.env['RECORDER_FAULT_FILE']
if (!isMainThread && path !== undefined) {
  setInterval(() => FAULTS[readFault(path)]?.(), LOOK_EVERY_MS).unref()
}
