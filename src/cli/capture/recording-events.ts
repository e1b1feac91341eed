import type { RecordingEvent } from '../../archive/writer.ts'
import { formatBytes, formatCount } from '../../core/units.ts'
import type { Terminal } from '../terminal.ts'

/** Says what happens to a recording while it is written; the first part goes without saying. */
export function sayRecordingEvent(event: RecordingEvent, terminal: Terminal): void {
  if (event.kind === 'part') {
    if (event.part > 0 || event.resumed)
      terminal.say(`${event.resumed ? 'the disk takes data again: ' : ''}recording goes on in ${event.name}`)
  } else if (event.kind === 'failed') {
    terminal.warn(`mesh: the recording cannot be written: ${event.error.message}; traffic goes on`)
  } else {
    const why = event.reason === 'disk' ? 'the disk takes nothing' : 'the disk is slower than the traffic'
    terminal.warn(`mesh: lost ${formatCount(event.exchanges)} exchanges (${formatBytes(event.bytes)}): ${why}`)
  }
}
