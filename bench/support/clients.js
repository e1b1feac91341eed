import { fileURLToPath } from 'node:url'

import { runProgram } from './processes.js'

const AUTOCANNON = fileURLToPath(new URL('../../node_modules/.bin/autocannon', import.meta.url))
const BARE_LOOP = fileURLToPath(new URL('bare-loop.js', import.meta.url))
const PACED = fileURLToPath(new URL('paced-client.js', import.meta.url))
const NS_OF_UNIT = { us: 1e3, ms: 1e6, s: 1e9, m: 60e9 }

/** Each client below gives replies per second, and throws where replies were not those of a server in order. */

export async function bareLoop(url, { connections, seconds }) {
  const { port, pathname } = new URL(url)
  const { out } = await runProgram(process.execPath, [BARE_LOOP, port, `${connections}`, `${seconds}`, pathname])
  return JSON.parse(out)
}

export async function wrk(url, { connections, seconds }) {
  const { out } = await runProgram('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', url])
  refuse('wrk', /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(out)?.[0])
  const [, figure, unit] = /\s50%\s+([\d.]+)(us|ms|s|m)/.exec(out) ?? []
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1]),
    replies: Number(/(\d+) requests in/.exec(out)?.[1]),
    p50Ns: Number(figure) * (NS_OF_UNIT[unit] ?? Number.NaN),
  }
}

/** Clients at a fixed rate: how many requests were sent, answered, late and failed, their median and 99th percentile, and the CPU that one took. */
export async function paced(url, { connections, seconds, rate }) {
  const { port, pathname } = new URL(url)
  const words = [PACED, port, `${connections}`, `${rate}`, `${seconds}`, pathname]
  return JSON.parse((await runProgram(process.execPath, words)).out)
}

export async function hey(url, { connections, seconds }) {
  const { out } = await runProgram('hey', ['-c', `${connections}`, '-z', `${seconds}s`, url])
  refuse('hey', /\[[1345]\d\d\]\s+\d+ responses|Error distribution:[^]*/.exec(out)?.[0])
  return { perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1]) }
}

/**
 * With a second of warm-up, as our own: it runs on the same compiler. A `rate` is its `-R`.
 * @param {string} url
 * @param {{ connections: number, seconds: number, rate?: number }} load
 */
export async function autocannon(url, { connections, seconds, rate }) {
  const pace = rate === undefined ? [] : ['-R', `${rate}`]
  const warmup = ['--warmup', '[', '-c', `${connections}`, '-d', '1', ']']
  const args = [...warmup, '-c', `${connections}`, '-d', `${seconds}`, ...pace, '-j', '-n', url]
  const { out } = await runProgram(AUTOCANNON, args)
  // One document for the warm-up, one for the run.
  const result = JSON.parse(out.trim().split('\n').at(-1) ?? '')
  if (result.non2xx + result.errors + result.timeouts > 0) refuse('autocannon', 'replies that are not 200, or errors')
  return { perSecond: result['2xx'] / result.duration, p50Ns: result.latency.p50 * 1e6 }
}

/**
 * GoReplay on the same requests as a file of its own, a thousand times as fast as they were recorded: as fast as it can. It has no
 * count of its own to rely on, so `served` is what the server counted.
 */
export async function gor(url, { connections, seconds, file, served }) {
  const args = ['--input-file', `${file}|100000%`, '--input-file-loop', '--output-http', new URL(url).origin]
  const workers = ['--output-http-workers-min', `${connections}`, '--output-http-workers', `${connections}`]
  const before = await served()
  const start = performance.now()
  await runProgram('gor', [...args, ...workers, '--exit-after', `${seconds}s`], { codes: [0, 1, null] })
  const wallSeconds = (performance.now() - start) / 1000
  return { perSecond: ((await served()) - before) / wallSeconds }
}

function refuse(client, found) {
  if (found !== undefined) throw new Error(`${client}: expected replies of status 200 only, found ${found.trim()}`)
}
