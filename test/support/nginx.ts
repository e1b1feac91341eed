import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from './free-port.ts'

const PATHS = ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/bin/nginx']
const NGINX = PATHS.find((path) => existsSync(path))

/** Why tests with nginx are skipped, or false. */
export const NGINX_ABSENT: string | false = NGINX === undefined ? 'nginx is not installed' : false

/** A real nginx on a port of its own. */
export interface Nginx {
  readonly port: number
  stop(): Promise<void>
}

/**
 * Starts nginx with these `location` blocks, and `upstream` blocks if any, in a folder of its own, in the foreground, and waits until
 * it answers.
 */
export async function startNginx(locations: string, upstreams = ''): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-nginx-'))
  const port = await freePort()
  writeFileSync(join(folder, 'nginx.conf'), configuration(folder, port, locations, upstreams))
  const child = spawn(NGINX ?? 'nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`nginx did not start on port ${port}`)
    await pause(25)
  }
  return {
    port,
    async stop() {
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function configuration(folder: string, port: number, locations: string, upstreams: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  return `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000; ${temporary.join(' ')}
  ${upstreams}
  server { listen 127.0.0.1:${port}; ${locations} }
}
`
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
