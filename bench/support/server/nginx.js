import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A configuration of nginx as a reply server: `/` answers 2 bytes, `/200` 200 bytes, any deeper path likewise. One worker, no
 * log, connections kept for ever: the fastest server that every machine has, so that what is measured is the client.
 */
export function nginxConfig({ folder, port, workers = 1, extra = '' }) {
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
    location / { return 200 "ok"; }
    location /200 { return 200 "${'x'.repeat(200)}"; }
  }
}
`
}

/** Starts nginx on a free port; `stop()` ends it and removes its folder. Undefined where nginx is not installed. */
export async function startNginx(options = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'mesh-nginx-'))
  const port = options.port ?? (await freePort())
  const file = join(folder, 'nginx.conf')
  await writeFile(file, nginxConfig({ ...options, folder, port }))
  const child = spawn('nginx', ['-c', file, '-p', folder], { stdio: 'ignore' })
  const failed = new Promise((resolve) => child.once('error', () => resolve(true)))
  const exited = new Promise((resolve) => child.once('exit', resolve))
  if ((await Promise.race([failed, listening(port)])) === true) return undefined
  return {
    port,
    async stop() {
      child.kill('SIGTERM')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A port that nobody listens on now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
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
