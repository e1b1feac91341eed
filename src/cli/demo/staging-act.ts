import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monotonicNs } from '../../core/clock.ts'
import { MeshError, toMeshError } from '../../core/errors.ts'
import { formatCount, formatDurationNs } from '../../core/units.ts'
import type { ServerOptions } from '../../cow/postgres/server-options.ts'
import { type Checksum, freePort, type Production, startProduction } from './production.ts'
import { startShops } from './shops.ts'
import type { Stage } from './stage.ts'
import { visitShop } from './users.ts'

const USERS = 12
/** Other users than those of the hosts before. */
const SEED = 9
const LOOKING_NS = 3e9

/** What is ordered at staging, of which production has some. */
const ORDERED = [17, 42, 108]

/** A database is in the making; or there is none to be had here, and why. */
export interface Backstage {
  readonly folder: string
  readonly production: Promise<Production | MeshError>
}

/** Codes that say that this machine cannot run the act, through no fault of anybody's. */
const CANNOT_RUN = new Set(['MESH_ERR_TOOL_MISSING', 'MESH_ERR_PERMISSION'])

/** Begins to make production's database, while other acts are on. */
export async function prepareStaging(stage: Stage): Promise<Backstage> {
  const folder = await mkdtemp(join(tmpdir(), 'mesh-demo-'))
  stage.atEnd(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }))
  // As root PostgreSQL runs as somebody else, who has to get in; what is private in it is closed by itself.
  await chmod(folder, 0o755)
  const production = startProduction(folder, stage.signal).catch((thrown: unknown) => toMeshError(thrown))
  stage.atEnd(async () => {
    const made = await production
    if (!(made instanceof MeshError)) await made.close()
  })
  return { folder, production }
}

/** Staging works on production's data, and production does not notice. False where this machine cannot show it. */
export async function showStaging(stage: Stage, { folder, production: making }: Backstage): Promise<boolean> {
  stage.say("\n5. Staging on production's data: reads go there, writes stay on a branch.")
  const production = await making
  if (production instanceof MeshError) {
    if (stage.signal.aborted || !CANNOT_RUN.has(production.code)) throw production
    stage.say(`   skipped: ${production.what}${production.where === undefined ? '' : ` (${production.where})`}`)
    return false
  }
  const before = await production.checksum()
  stage.say(`   production is a shop on PostgreSQL: ${formatCount(before.rows)} rows, checksum ${before.hash}`)
  const cowPort = await freePort()
  const staging: ServerOptions = { ...production.options, address: { host: '127.0.0.1', port: cowPort } }
  const shops = await startShops([{ database: production.options }, { database: staging }])
  stage.atEnd(() => shops.close())
  const [productionPort = 0, stagingPort = 0] = shops.ports
  const config = await writeEnvironment(stage, { url: production.url, state: folder, stagingPort, cowPort })
  const place = ['--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${productionPort}`]
  const words = ['mirror', ...place, '--to', 'staging', '--config', config]
  stage.say('   $ export PGPASSWORD=...   # of reader, a role that may only read')
  stage.sayCommand(['mesh', ...words])
  const startNs = monotonicNs()
  const mirror = stage.processes.start(words, { show: 'results', environment: { PGPASSWORD: production.password } })
  const [, port] = await mirror.line(/listening on 127\.0\.0\.1:(\d+), relaying/)
  stage.say(`   ready after ${formatDurationNs(monotonicNs() - startNs)}`)
  await lookAround(stage, Number(port))
  await orderAtStaging(stage, productionPort, stagingPort)
  await stage.mesh(['cow', 'diff', '--upstream', production.url, '--state', folder], { show: 'results' })
  stage.say('\n7. Ctrl-C ends the mirror with its proof.')
  mirror.stop()
  await mirror.ended
  sayChecksums(stage, before, await production.checksum())
  return true
}

interface EnvironmentPlan {
  readonly url: string
  readonly state: string
  readonly stagingPort: number
  readonly cowPort: number
}

/** Writes and shows the settings that make staging. */
async function writeEnvironment(stage: Stage, { url, state, stagingPort, cowPort }: EnvironmentPlan): Promise<string> {
  const lines = [
    'environments:',
    '  staging:',
    `    url: http://127.0.0.1:${stagingPort}`,
    '    compare: true',
    '    data:',
    `      - upstream: ${url}`,
    `        listen: 127.0.0.1:${cowPort}   # staging's DATABASE_URL`,
    `        state: ${JSON.stringify(state)}`,
  ]
  const file = `${stage.folder}/mesh.yaml`
  await writeFile(file, `${lines.join('\n')}\n`)
  stage.say(`   ${file} says what staging is, and which data it stands on:`)
  for (const line of lines) stage.say(`     ${line}`)
  return file
}

/** Users look around at production, and staging is asked whatever production is asked. */
async function lookAround(stage: Stage, port: number): Promise<void> {
  const looking = new AbortController()
  const plan = { users: USERS, seed: SEED, buys: false }
  const visit = visitShop(port, plan, looking.signal)
  await stage.showTime(LOOKING_NS).finally(() => looking.abort())
  const { requests, failures } = await visit
  stage.say(
    `   ${USERS} users looked around for ${formatDurationNs(LOOKING_NS)}: ${formatCount(requests)} requests, ` +
      `${failures === 0 ? 'none' : formatCount(failures)} failed`,
  )
}

/** Orders are placed at staging; what each shop then says of the first product is shown side by side. */
async function orderAtStaging(stage: Stage, productionPort: number, stagingPort: number): Promise<void> {
  stage.say('\n6. Order at staging what production has.')
  for (const product of ORDERED) {
    const [body, url] = [`product=${product}&customer=tester`, `http://127.0.0.1:${stagingPort}/orders`]
    stage.sayCommand(['curl', '-d', `'${body}'`, url])
    stage.say(`   ${await ask(stage, url, body)}`)
  }
  for (const [name, port] of [
    ['staging', stagingPort],
    ['production', productionPort],
  ] as const) {
    const url = `http://127.0.0.1:${port}/products/${ORDERED[0]}`
    stage.sayCommand(['curl', url, '  #', name])
    stage.say(`   ${await ask(stage, url)}`)
  }
}

/** What a shop answers, its text. @throws MeshError where it is no success. */
async function ask(stage: Stage, url: string, form?: string): Promise<string> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const options = form === undefined ? {} : { method: 'POST', body: form, headers }
  const response = await fetch(url, { ...options, signal: stage.signal })
  const text = await response.text()
  if (response.ok) return text.trim()
  throw new MeshError('MESH_ERR_INTERNAL', { what: `the demo's shop answered ${response.status}: ${text}`, where: url })
}

function sayChecksums(stage: Stage, before: Checksum, after: Checksum): void {
  if (before.hash !== after.hash || before.rows !== after.rows) {
    throw new MeshError('MESH_ERR_INTERNAL', {
      what: `production's checksum was ${before.hash} (${before.rows} rows) and is ${after.hash} (${after.rows} rows)`,
    })
  }
  stage.say(`\n   production's checksum over ${formatCount(after.rows)} rows`)
  stage.say(`     before  ${before.hash}`)
  stage.say(`     after   ${after.hash}  the same: staging wrote nothing there`)
}
