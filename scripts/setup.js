#!/usr/bin/env node
/**
 * Makes a fresh checkout ready: npm's packages, the build and, for the tests, Debian's packages where we may install them.
 *   node scripts/setup.js --runtime   packages and build, before `npm start`
 *   node scripts/setup.js --test      all packages and the build, before the tests
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LEAST_NODE = [20, 19]

/** Programs that tests drive for real, and the Debian package of each. */
const TEST_PROGRAMS = {
  tcpdump: 'tcpdump',
  nginx: 'nginx-light',
  curl: 'curl',
  openssl: 'openssl',
  chromium: 'chromium',
}

/** A browser is hundreds of megabytes, and a few tests alone want it: they are skipped where it cannot be had. */
const LARGE_PACKAGE = 'chromium'
const LARGE_TIMEOUT_MS = 180_000

/** A step that says what it does, and that it failed. */
function attempt(title, command, args, environment) {
  process.stderr.write(`mesh: ${title} ...\n`)
  const env = { ...process.env, ...environment }
  const { status } = spawnSync(command, args, { env, stdio: 'ignore', timeout: LARGE_TIMEOUT_MS })
  if (status !== 0) process.stderr.write(`mesh: ${title} failed; its tests are skipped\n`)
}

/** A step that says what it does and stops everything where it fails. */
function run(title, command, args, environment = {}) {
  process.stderr.write(`mesh: ${title} ...\n`)
  const result = spawnSync(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  })
  if (result.status === 0) return
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
  process.stderr.write(`mesh: ${title} failed (${command} ${args.join(' ')})\n`)
  process.exit(1)
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return
  process.stderr.write(`mesh: expected Node ${LEAST_NODE.join('.')} or newer, found ${process.versions.node}\n`)
  process.exit(1)
}

function newestChange(path) {
  const stats = statSync(path)
  if (!stats.isDirectory()) return stats.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newestChange(`${path}/${name}`)))
}

function installPackages() {
  const installed = `${ROOT}/node_modules/.package-lock.json`
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${ROOT}/package-lock.json`).mtimeMs) return
  run('installing packages (npm ci)', 'npm', ['ci', '--no-audit', '--no-fund', '--include=dev'])
}

/** Builds where a source is newer than the last build, or what is bundled with it. */
export function build() {
  const built = `${ROOT}/dist/bundle/main.js`
  if (existsSync(built) && statSync(built).mtimeMs > newestSource()) return
  run('building (tsc)', process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'])
  run('bundling (esbuild)', process.execPath, ['scripts/bundle.js'])
}

function newestSource() {
  return Math.max(...['src', 'scripts/bundle.js', 'package-lock.json'].map((name) => newestChange(`${ROOT}/${name}`)))
}

function installPrograms() {
  const missing = Object.keys(TEST_PROGRAMS).filter((program) => !onPath(program))
  if (missing.length === 0) return
  const packages = missing.map((program) => TEST_PROGRAMS[program])
  if (process.getuid?.() === 0 && onPath('apt-get')) {
    const quiet = { DEBIAN_FRONTEND: 'noninteractive' }
    run('reading the package lists (apt-get update)', 'apt-get', ['update', '-qq'], quiet)
    const install = ['install', '-y', '-qq']
    const ordinary = packages.filter((name) => name !== LARGE_PACKAGE)
    if (ordinary.length > 0) {
      run(`installing ${ordinary.join(', ')} (apt-get)`, 'apt-get', [...install, ...ordinary], quiet)
    }
    if (packages.includes(LARGE_PACKAGE)) {
      attempt(`installing ${LARGE_PACKAGE} (apt-get)`, 'apt-get', [...install, LARGE_PACKAGE], quiet)
    }
    return
  }
  process.stderr.write(
    `mesh: missing ${missing.join(', ')}; their tests are skipped. To run them too: apt-get install ${packages.join(' ')}\n`,
  )
}

function onPath(program) {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.some((folder) => existsSync(`${folder}/${program}`))
}

checkNode()
installPackages()
build()
if (process.argv.includes('--test')) installPrograms()
