import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { runMesh } from '../support/mesh.js'
import { runProgram } from '../support/processes.js'
import { medianOf } from '../support/statistics.js'
import { count, ratio } from '../support/table.js'

const MAKE_PCAP = fileURLToPath(new URL('../support/make-pcap.js', import.meta.url))
const RECORDING = fileURLToPath(new URL('../floors/recording.js', import.meta.url))
const LIBRARIES_WRITE = 'write: libraries'
const MASKED_WRITE = 'write: mesh, with sessions and masks'
const LIBRARIES_READ = 'read: McapIndexedReader'
const READ = 'read: mesh, in batches'

/** From a packet capture to a recording, and the recording itself: written as a capture writes it, and read. */
export async function ingest({ folder, runs, megabytes, exchanges, say }) {
  const pcap = await fromPcap({ folder, runs, megabytes, say })
  const recording = await writeAndRead({ runs, exchanges, say })
  return {
    title: 'Ingest',
    tables: [pcap.table, recording.table],
    notes: [...pcap.notes, ...recording.notes],
    goals: [...pcap.goals, ...recording.goals],
    figures: { pcap: pcap.figures, recording: recording.figures },
  }
}

async function fromPcap({ folder, runs, megabytes, say }) {
  const file = join(folder, 'generated.pcap')
  const output = join(folder, 'ingested.mcap')
  const { out } = await runProgram(process.execPath, [MAKE_PCAP, file, '--megabytes', `${megabytes}`])
  const made = JSON.parse(out)
  const found = []
  for (let run = 1; run <= runs; run++) {
    const { err, wallSeconds, cpuSeconds, peakBytes } = await runMesh(folder, ['capture', 'pcap', file, '-o', output], {
      seconds: 300,
    })
    const recorded = Number(/recorded ([\d,]+) exchanges/.exec(err)?.[1]?.replaceAll(',', ''))
    rmSync(output)
    if (recorded !== made.exchanges || !err.includes('the ledger balances')) {
      throw new Error(
        `mesh capture pcap: expected ${made.exchanges} exchanges and a ledger that balances, found ${err}`,
      )
    }
    found.push({
      exchangesPerCpuSecond: recorded / cpuSeconds,
      megabytesPerSecond: made.bytes / 1e6 / wallSeconds,
      megabytesPerCpuSecond: made.bytes / 1e6 / cpuSeconds,
      peakMebibytes: peakBytes / 1024 ** 2,
    })
    say(`ingest ${run}/${runs}: ${count(made.bytes / 1e6 / wallSeconds)} MB/s`)
  }
  rmSync(file)
  return presentPcap(found, made, runs)
}

function presentPcap(found, made, runs) {
  const of = (field) => medianOf(found, field)
  const fields = ['exchangesPerCpuSecond', 'megabytesPerSecond', 'megabytesPerCpuSecond', 'peakMebibytes']
  const size = `${count(made.bytes / 1e6)} MB`
  return {
    table: {
      columns: ['mesh capture pcap', 'exchanges/CPU s', 'MB/s', 'MB/CPU s', 'peak MiB'],
      rows: [[`${size}, ${count(made.exchanges)} exchanges`, ...fields.map((field) => count(of(field)))]],
    },
    notes: [
      `A generated capture of ${size}: ${count(made.connections)} connections, ${count(made.packets)} packets, ${count(made.bytes / made.exchanges)} bytes an exchange; the whole program with its start, medians of ${runs} runs. Every exchange was recorded and the ledger balances.`,
    ],
    goals: [
      { what: 'pcap to recording, exchanges per CPU second', value: of('exchangesPerCpuSecond'), least: 35_000 },
      { what: 'pcap to recording, MB/s', value: of('megabytesPerSecond'), least: 100 },
      { what: 'peak memory of that, MiB', value: of('peakMebibytes'), most: 350 },
    ],
    figures: { made, found },
  }
}

async function writeAndRead({ runs, exchanges, say }) {
  const args = [RECORDING, '--rounds', `${runs}`, '--exchanges', `${exchanges}`, '--json']
  const { out } = await runProgram(process.execPath, args, { seconds: 300 })
  const result = JSON.parse(out)
  const rates = new Map(result.rates.map((rate) => [rate.name, rate]))
  const perSecond = (name) => rates.get(name)?.perSecond ?? Number.NaN
  say(`ingest: writes ${count(perSecond(MASKED_WRITE))} exchanges/s, reads ${count(perSecond(READ))}/s`)
  const floorOf = (name) => perSecond(name.startsWith('write') ? LIBRARIES_WRITE : LIBRARIES_READ)
  return {
    table: {
      columns: ['a recording', 'exchanges/s', 'exchanges/CPU s', 'x libraries'],
      rows: result.rates.map((rate) => [
        rate.name,
        count(rate.perSecond),
        count(rate.perCpuSecond),
        ratio(rate.perSecond, floorOf(rate.name)),
      ]),
    },
    notes: [
      `${count(exchanges)} exchanges of ${count(result.bytesEach)} bytes, in one process, medians of ${runs} rounds; the libraries are @mcap/core and protobufjs as they come, without ledger, sessions or masks.`,
    ],
    goals: [
      { what: 'writing with masks and ledger, exchanges/s', value: perSecond(MASKED_WRITE), least: 90_000 },
      { what: 'reading, exchanges/s', value: perSecond(READ), least: 150_000 },
    ],
    figures: result,
  }
}
