import { spawn, spawnSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'

import { temporaryFolder, track } from '../processes.js'
import { portOf } from './port-of.js'

const STATUS_PATH = '/bench-status'
const REPLIES = `location / { return 200 "ok"; }
    location /200 { return 200 "${'x'.repeat(200)}"; }`

/**
 * A configuration of nginx as a reply server: `/` answers 2 bytes, `/200` 200 bytes, any deeper path likewise. One worker, no
 * log, connections kept for ever: the fastest server that every machine has, so that what is measured is the client.
 */
export function nginxConfig({ folder, port, workers = 1, extra = '', locations = REPLIES }) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${join(folder, name)};`)
    .join('\n')
  return `daemon off;
worker_processes ${workers};
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')};
events { worker_connections 16384; }
http {
${temporary}
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600;
  default_type text/plain;
  ${extra}
  server {
    listen 127.0.0.1:${port} backlog=4096 reuseport;
    ${locations}
    ${countsRequests() ? `location = ${STATUS_PATH} { stub_status; }` : ''}
  }
}
`
}

let isCounting

/** nginx was built with the module that counts requests. */
function countsRequests() {
  isCounting ??= /http_stub_status_module/.test(spawnSync('nginx', ['-V'], { encoding: 'utf8' }).stderr ?? '')
  return isCounting
}

/** Starts nginx on a free port; `stop()` ends it and removes its folder. Undefined where nginx is not installed. */
export async function startNginx(options = {}) {
  const folder = temporaryFolder('mesh-nginx-')
  const port = options.port ?? (await freePort())
  const file = join(folder, 'nginx.conf')
  await writeFile(file, nginxConfig({ ...options, folder, port }))
  const child = track(spawn('nginx', ['-c', file, '-p', folder], { stdio: 'ignore' }), 'SIGTERM')
  const failed = new Promise((resolve) => child.once('error', () => resolve(true)))
  const exited = new Promise((resolve) => child.once('exit', resolve))
  if ((await Promise.race([failed, listening(port)])) === true) return undefined
  let asked = 0
  return {
    port,
    pid: child.pid,
    /** Requests answered so far, but for those that asked for this; NaN where nginx does not count. */
    async served() {
      if (!countsRequests()) return Number.NaN
      asked++
      const text = await (await fetch(`http://127.0.0.1:${port}${STATUS_PATH}`)).text()
      return Number(/^\s*\d+ \d+ (\d+)\s*$/m.exec(text)?.[1]) - asked
    },
    async stop() {
      child.kill('SIGTERM')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** nginx as a proxy before a server on this machine, with as little of its own as it can: what relaying costs elsewhere. */
export function startNginxProxy(upstreamPort) {
  return startNginx({
    extra: `upstream up { server 127.0.0.1:${upstreamPort}; keepalive 1024; keepalive_requests 1000000000; }`,
    locations: 'location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }',
  })
}

/** A port that nobody listens on now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const port = portOf(server)
      server.close(() => resolve(port))
    })
  })
}

async function listening(port) {
  for (let attempt = 0; attempt < 250; attempt++) {
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return false
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`nginx did not listen on 127.0.0.1:${port} within 5 s`)
}
