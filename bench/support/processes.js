import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Kept of what a program prints; the rest is not read by anyone. */
const MAX_OUTPUT_CHARACTERS = 16 * 1024 * 1024
const SHOWN_CHARACTERS = 600

/** What must be gone when this process is: its children with the signal that ends each, and its temporary folders. */
const children = new Map()
const folders = new Set()
let isWatching = false

function watch() {
  if (isWatching) return
  isWatching = true
  process.once('exit', endEverything)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
}

/** Ends every child that is still there and removes every folder: after a part that failed, and at the end of this process. */
export function endEverything() {
  for (const [child, signal] of children) child.kill(signal)
  children.clear()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  folders.clear()
}

/** Makes sure that a child ends with this process, however that ends. */
export function track(child, signal = 'SIGKILL') {
  watch()
  children.set(child, signal)
  child.once('error', () => children.delete(child))
  child.once('exit', () => children.delete(child))
  return child
}

/** A folder that is removed at the end of this process, if not before. */
export function temporaryFolder(prefix = 'mesh-bench-') {
  watch()
  const path = mkdtempSync(join(tmpdir(), prefix))
  folders.add(path)
  return path
}

export function isInstalled(tool) {
  return spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0
}

/** Starts a program; `seen` waits for a line of it, `stop` ends it, `ended` says how it went. */
export function startChild(command, args, options = {}) {
  const child = track(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options }))
  const text = { out: '', err: '' }
  const collect = (name) => (piece) => {
    if (text[name].length < MAX_OUTPUT_CHARACTERS) text[name] += piece
  }
  child.stdout.setEncoding('utf8').on('data', collect('out'))
  child.stderr.setEncoding('utf8').on('data', collect('err'))
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, ...text }))
  })
  ended.catch(() => undefined)
  const seen = (name, pattern, seconds = 15) =>
    new Promise((resolve, reject) => {
      const stream = name === 'out' ? child.stdout : child.stderr
      const fail = (why) => reject(new Error(`${commandLine(command, args)}: ${why}: ${tail(text.err)}`))
      const timer = setTimeout(() => fail(`did not print ${pattern} within ${seconds} s`), seconds * 1000)
      const look = () => {
        const match = pattern.exec(text[name])
        if (match === null) return
        stream.off('data', look)
        clearTimeout(timer)
        resolve(match)
      }
      stream.on('data', look)
      look()
      ended.then(
        () => fail('ended'),
        (error) => fail(error.message),
      )
    })
  const stop = (signal = 'SIGTERM') => {
    child.kill(signal)
    return ended
  }
  return { pid: child.pid, ended, seen, stop }
}

/**
 * Runs a program to its end. Another exit code than those of `codes`, or more time than `seconds`, is an error.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions & { seconds?: number, codes?: readonly number[] }} options
 */
export async function runProgram(command, args, { seconds = 120, codes = [0], ...options } = {}) {
  const child = startChild(command, args, options)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    void child.stop('SIGKILL').catch(() => undefined)
  }, seconds * 1000)
  const result = await child.ended.finally(() => clearTimeout(timer))
  if (isLate) throw new Error(`${commandLine(command, args)}: did not end within ${seconds} s`)
  if (!codes.includes(result.code)) {
    const how = result.signal ?? `exit code ${result.code}`
    throw new Error(`${commandLine(command, args)}: ${how}: ${tail(result.err || result.out)}`)
  }
  return result
}

function commandLine(command, args) {
  return [command, ...args].join(' ').slice(0, SHOWN_CHARACTERS)
}

function tail(text) {
  return text.trim().slice(-SHOWN_CHARACTERS)
}
