import { existsSync, mkdirSync } from 'node:fs'
import { relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Command } from 'commander'
import { MeshError } from '../core/errors.ts'
import { formatCount } from '../core/units.ts'
import type { MeshProcess } from './demo/mesh-process.ts'
import { runMesh, startMesh } from './demo/mesh-process.ts'
import type { ShopsReady } from './demo/shop-thread.ts'
import { visitShop } from './demo/users.ts'
import { EXIT } from './exit-codes.ts'
import { durationFlag, textFlag, withDefault } from './flags.ts'
import type { Terminal } from './terminal.ts'
import type { Caller } from './verb.ts'
import { commandOf } from './verb.ts'

const FLAGS = {
  output: withDefault(textFlag(['o', 'output'], '<dir>', 'where recordings and the run go; a new folder'), 'mesh-demo'),
  duration: withDefault(durationFlag(['d', 'duration'], 'how long the users shop'), '10s'),
}

const HOSTS = ['host-a', 'host-b', 'host-c']
const USERS_PER_HOST = 12
const AMPLIFY = 4
const PROGRESS_MS = 500

/** `mesh demo`: everything on a sample shop, with the commands that a person would type. */
export function demoCommand(caller: Caller): Command {
  return commandOf(
    {
      name: 'demo',
      summary: 'record three hosts of a sample shop, fold them onto one canary at 4x, report: under a minute',
      examples: ['mesh demo', 'mesh demo -o /tmp/demo', 'mesh demo --duration 20s'],
      flags: FLAGS,
      run: async ({ flags, terminal }) => {
        const folder = newFolder(flags.output)
        const shops = new Worker(new URL('demo/shop-thread.js', import.meta.url), { workerData: [...HOSTS, 'canary'] })
        try {
          const [canary = 0, ...hosts] = (await portsOf(shops)).toReversed()
          const recordings = await recordHosts(hosts.toReversed(), folder, flags.duration, terminal)
          terminal.say('\n3. Are the recordings complete? Each carries a ledger of everything that was seen.')
          await mesh(['inspect', '--verify', '-q', ...recordings], 'nothing', terminal)
          terminal.say('   yes: all three ledgers balance')
          terminal.say(`\n4. Fold the three onto one canary, ${AMPLIFY} times the traffic.`)
          const run = `${folder}/run`
          const target = `http://127.0.0.1:${canary}`
          const words = ['--to', target, '--amplify', String(AMPLIFY), '--allow-writes', '-o', run]
          const code = await mesh(['replay', ...recordings, ...words], 'all', terminal, [EXIT.ok, EXIT.notValid])
          if (code === EXIT.notValid) {
            terminal.say(
              '\nThis machine was too busy to measure on, and the report says so: its numbers prove nothing.',
            )
          }
          sayGoodbye(folder, recordings, run, terminal)
          return EXIT.ok
        } finally {
          await shops.terminate()
        }
      },
    },
    caller,
  )
}

/** Records what synthetic users do at each host, through a tap before each. Resolves to the recordings. */
async function recordHosts(
  ports: readonly number[],
  folder: string,
  durationNs: number,
  terminal: Terminal,
): Promise<readonly string[]> {
  terminal.say('1. A sample shop runs on three "hosts"; a tap goes in front of each.')
  const recordings = HOSTS.map((host) => `${folder}/${host}.mcap`)
  const taps = HOSTS.map((host, index) => {
    const words = [
      'capture',
      'tap',
      '--listen',
      '127.0.0.1:0',
      '--upstream',
      `127.0.0.1:${ports[index] ?? 0}`,
      '--host',
      host,
      '-o',
      recordings[index] ?? '',
    ]
    terminal.say(`   $ mesh ${words.join(' ')}`)
    return startMesh(words)
  })
  const listening = await Promise.all(taps.map((tap) => tap.line(/listening on 127\.0\.0\.1:(\d+)/)))
  terminal.say(`\n2. ${HOSTS.length * USERS_PER_HOST} synthetic users shop for ${Math.round(durationNs / 1e9)} s.`)
  const shopping = new AbortController()
  const visits = listening.map((match, index) =>
    visitShop(Number(match[1]), USERS_PER_HOST, index + 1, shopping.signal),
  )
  await showTime(durationNs, terminal)
  shopping.abort()
  const counted = await Promise.all(visits)
  for (const tap of taps) tap.stop()
  await Promise.all(taps.map((tap) => endOf(tap)))
  const requests = counted.reduce((sum, visit) => sum + visit.requests, 0)
  const failures = counted.reduce((sum, visit) => sum + visit.failures, 0)
  terminal.say(
    `   the users counted ${formatCount(requests)} requests, ${failures === 0 ? 'none' : formatCount(failures)} failed`,
  )
  for (const [index, tap] of taps.entries()) {
    terminal.say(`   ${HOSTS[index]}: ${/: (.*whole.*)$/m.exec(tap.said())?.[1] ?? 'recorded'}`)
  }
  return recordings
}

async function endOf(tap: MeshProcess): Promise<void> {
  const code = await tap.ended
  if (code !== 0)
    throw new MeshError('MESH_ERR_INTERNAL', { what: `a tap ended with exit code ${code}: ${tap.said()}` })
}

async function mesh(
  words: readonly string[],
  show: 'results' | 'all' | 'nothing',
  terminal: Terminal,
  expected: readonly number[] = [EXIT.ok],
): Promise<number> {
  terminal.say(`   $ mesh ${words.join(' ')}`)
  return runMesh(words, show, expected)
}

async function showTime(durationNs: number, terminal: Terminal): Promise<void> {
  const steps = Math.ceil(durationNs / 1e6 / PROGRESS_MS)
  for (let step = 1; step <= steps; step++) {
    await pause(PROGRESS_MS)
    const done = Math.round((step / steps) * 40)
    if (terminal.interactive) terminal.progress(`   [${'#'.repeat(done)}${'.'.repeat(40 - done)}]`)
  }
}

function sayGoodbye(folder: string, recordings: readonly string[], run: string, terminal: Terminal): void {
  const [first = ''] = recordings
  terminal.say(`\nWritten to ${folder}/: three recordings (.mcap) and the run (run/).`)
  terminal.say('Try next:')
  terminal.say(`  npx mesh inspect ${first}`)
  terminal.say(`  npx mesh report ${run}`)
  terminal.say(`  npx mesh export ${first} --format curl --match 'request.path.startsWith("/search")' -o -`)
}

/** The folder asked for, or the next name that is free: nothing is ever overwritten. */
function newFolder(wanted: string): string {
  let folder = wanted
  for (let number = 2; existsSync(folder); number++) folder = `${wanted}-${number}`
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder.startsWith('/') ? folder : relative('.', folder)
}

function portsOf(shops: Worker): Promise<readonly number[]> {
  return new Promise((resolve, reject) => {
    shops.once('message', (ready: ShopsReady) => resolve(ready.ports))
    shops.once('error', reject)
  })
}
