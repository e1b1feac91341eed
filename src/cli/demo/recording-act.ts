import { formatCount } from '../../core/units.ts'
import { EXIT } from '../exit-codes.ts'
import { startShops } from './shops.ts'
import type { Stage } from './stage.ts'
import { visitShop } from './users.ts'

const HOSTS = ['host-a', 'host-b', 'host-c']
const USERS_PER_HOST = 12
const AMPLIFY = 4

/** What the first act leaves. */
export interface Recorded {
  readonly recordings: readonly string[]
  /** The folder of the replay's run. */
  readonly run: string
}

/** Three hosts are recorded and folded onto one canary. */
export async function recordAndReplay(stage: Stage, durationNs: number): Promise<Recorded> {
  const shops = await startShops([...HOSTS, 'canary'].map(() => ({})))
  stage.atEnd(() => shops.close())
  const recordings = await recordHosts(stage, shops.ports, durationNs)
  stage.say('\n3. Are the recordings complete? Each carries a ledger of everything that was seen.')
  await stage.mesh(['inspect', '--verify', '-q', ...recordings], {})
  stage.say('   yes: all three ledgers balance')
  stage.say(`\n4. Fold the three onto one canary, ${AMPLIFY} times. It issues tokens of its own.`)
  const run = `${stage.folder}/run`
  const target = `http://127.0.0.1:${shops.ports.at(-1) ?? 0}`
  const words = ['--to', target, '--amplify', String(AMPLIFY), '--allow-writes', '-o', run]
  const expected = [EXIT.ok, EXIT.notValid]
  const code = await stage.mesh(['replay', ...recordings, ...words], { show: 'all', expected })
  if (code === EXIT.notValid) {
    stage.say('\nThis machine was too busy to measure on, and the report says so: its numbers prove nothing.')
  }
  return { recordings, run }
}

/** Records what synthetic users do at each host, through a tap before each. Resolves to the recordings. */
async function recordHosts(stage: Stage, ports: readonly number[], durationNs: number): Promise<readonly string[]> {
  stage.say('1. A sample shop runs on three "hosts"; a tap goes in front of each.')
  const recordings = HOSTS.map((host) => `${stage.folder}/${host}.mcap`)
  const taps = HOSTS.map((host, index) => {
    const place = ['--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${ports[index] ?? 0}`]
    const words = ['capture', 'tap', ...place, '--host', host, '-o', recordings[index] ?? '']
    stage.sayCommand(['mesh', ...words])
    return stage.processes.start(words)
  })
  const listening = await Promise.all(taps.map((tap) => tap.line(/listening on 127\.0\.0\.1:(\d+)/)))
  stage.say(`\n2. ${HOSTS.length * USERS_PER_HOST} synthetic users shop for ${Math.round(durationNs / 1e9)} s.`)
  const shopping = new AbortController()
  const visits = listening.map((match, index) =>
    visitShop(Number(match[1]), { users: USERS_PER_HOST, seed: index + 1, buys: true }, shopping.signal),
  )
  await stage.showTime(durationNs).finally(() => shopping.abort())
  const counted = await Promise.all(visits)
  for (const tap of taps) tap.stop()
  await Promise.all(taps.map((tap) => tap.ended))
  const requests = counted.reduce((sum, visit) => sum + visit.requests, 0)
  const failures = counted.reduce((sum, visit) => sum + visit.failures, 0)
  stage.say(
    `   the users counted ${formatCount(requests)} requests, ${failures === 0 ? 'none' : formatCount(failures)} failed`,
  )
  for (const [index, tap] of taps.entries()) {
    stage.say(`   ${HOSTS[index]}: ${/: (.*whole.*)$/m.exec(tap.said())?.[1] ?? 'recorded'}`)
  }
  return recordings
}
