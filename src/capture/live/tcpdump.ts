import type { ChildProcessByStdio } from 'node:child_process'
import { spawn } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import type { Readable } from 'node:stream'
import { MeshError, systemCode, toMeshError } from '../../core/errors.ts'

/** What tcpdump is asked for. */
export interface TcpdumpOptions {
  /** A network interface, or `any` for all of them. */
  readonly interface: string
  /** Servers' ports; none: all TCP. */
  readonly ports: readonly number[]
  /** Also look into VXLAN (UDP 4789): for hosts that mirrored traffic is sent to. Default: no. */
  readonly vxlan?: boolean | undefined
  /**
   * The kernel's buffer, in bytes. Default 32 MiB: holds a quarter of a second at 1 Gbit/s. What does not fit is dropped by the
   * kernel, and counted.
   */
  readonly bufferBytes?: number | undefined
  /** Programs to try, in order. Default: `tcpdump`, then the places outside of an ordinary user's path. */
  readonly programs?: readonly string[] | undefined
}

const PROGRAMS = ['tcpdump', '/usr/sbin/tcpdump', '/sbin/tcpdump']
const DEFAULT_BUFFER_BYTES = 32 * 1024 * 1024

/** tcpdump's messages are kept up to this length: they are a few lines, and a hostile program may print more. */
const MAX_MESSAGE_CHARACTERS = 16 * 1024

/**
 * The kernel hands packets to tcpdump in blocks, at the latest after tcpdump's timeout of a second. In `--immediate-mode` it would hand on
 * each by itself, but then every packet takes as much of the buffer as the largest could: 256 packets fill 32 MiB.
 */
export const HELD_MS = 1_000

/** A block that was due is read within this. */
const READING_MS = 200

/** After SIGINT tcpdump has 5 s to print what it still has; it needs milliseconds. */
const STOP_PATIENCE_MS = 5_000

/**
 * The filter that the kernel applies. Later fragments of a packet have no ports, so those of TCP are let through. Frames with a VLAN
 * tag of their own are not matched: listen on the VLAN's interface.
 */
export function captureFilter(ports: readonly number[], vxlan: boolean): string {
  const tcp = ports.length === 0 ? ['tcp'] : ports.map((port) => `tcp port ${port}`)
  const fragments = ['(ip[9] == 6 and ip[6:2] & 0x1fff != 0)', 'ip6[6] == 44']
  return [...tcp, ...fragments, ...(vxlan ? ['udp port 4789'] : [])].join(' or ')
}

/** A running tcpdump that writes a capture to its output. */
export class Tcpdump {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  readonly #options: TcpdumpOptions
  readonly #exit: Promise<void>
  #messages = ''
  #failure: unknown
  #stopped = false

  private constructor(program: string, options: TcpdumpOptions) {
    this.#options = options
    const kernelBufferKib = Math.ceil((options.bufferBytes ?? DEFAULT_BUFFER_BYTES) / 1024)
    const flags = ['-i', options.interface, '-n', '-w', '-', '-U', '-s', '0']
    const clock = ['-B', String(kernelBufferKib), '--time-stamp-precision=nano']
    const filter = captureFilter(options.ports, options.vxlan === true)
    this.#child = spawn(program, [...flags, ...clock, filter], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stderr.setEncoding('utf8')
    this.#child.stderr.on('data', (text: string) => {
      this.#messages = (this.#messages + text).slice(-MAX_MESSAGE_CHARACTERS)
    })
    this.#exit = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        this.#failure = error
        resolve()
      })
      this.#child.on('close', () => resolve())
    })
  }

  /**
   * Starts tcpdump and waits until it captures. Throws `MESH_ERR_TOOL_MISSING`, `MESH_ERR_PERMISSION`, or `MESH_ERR_ADDRESS`
   * where there is no such interface.
   */
  static async start(options: TcpdumpOptions): Promise<Tcpdump> {
    const programs = options.programs ?? PROGRAMS
    for (const program of programs) {
      const started = new Tcpdump(program, options)
      await started.#begun()
      if (systemCode(started.#failure) === 'ENOENT') continue
      if (started.#child.stdout.readableLength > 0) return started
      await started.#exit
      throw started.#error()
    }
    throw new MeshError('MESH_ERR_TOOL_MISSING', {
      what: 'expected tcpdump, found no such program',
      where: programs.join(', '),
      remedy: 'install it: `apt-get install tcpdump`, `dnf install tcpdump` or `brew install tcpdump`',
    })
  }

  /** The capture, as a pcap file that goes on until tcpdump ends. Where it is not read, the kernel drops packets and counts them. */
  get output(): Readable {
    return this.#child.stdout
  }

  /** Packets that the kernel or the interface dropped, as tcpdump says at its end; known then. */
  get dropped(): number {
    let sum = 0
    for (const [, count] of this.#messages.matchAll(/(\d+) packets? dropped by/g)) sum += Number(count)
    return sum
  }

  /** Lets tcpdump print what the kernel holds by now, and end, a second later. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    const ending = setTimeout(() => this.#child.kill('SIGINT'), HELD_MS + READING_MS)
    const killing = setTimeout(() => this.#child.kill('SIGKILL'), HELD_MS + READING_MS + STOP_PATIENCE_MS)
    void this.#exit.then(() => {
      clearTimeout(ending)
      clearTimeout(killing)
    })
  }

  /** Waits for the end: undefined where it was an orderly one, else the error that says why tcpdump ended. */
  async ended(): Promise<MeshError | undefined> {
    await this.#exit
    return this.#stopped || this.#child.exitCode === 0 ? undefined : this.#error()
  }

  /** Resolves when the head of the capture is there, which tcpdump writes once it listens, or when it ends without. */
  async #begun(): Promise<void> {
    const first = new Promise<void>((resolve) => this.#child.stdout.once('readable', () => resolve()))
    await Promise.race([first, this.#exit])
  }

  #error(): MeshError {
    if (this.#failure !== undefined) return toMeshError(this.#failure, 'tcpdump')
    const said = this.#messages.trim().replaceAll(/\s*\n\s*/g, ' ')
    const where = `interface ${this.#options.interface}`
    if (/permi(ssion|tted)/i.test(said)) {
      return new MeshError('MESH_ERR_PERMISSION', {
        what: 'tcpdump may not capture',
        where,
        remedy: 'run as root, or allow it once: `sudo setcap cap_net_raw,cap_net_admin+eip "$(command -v tcpdump)"`',
      })
    }
    if (/no such device|doesn't exist|does not exist/i.test(said)) {
      const known = ['any', ...Object.keys(networkInterfaces())].join(', ')
      return new MeshError('MESH_ERR_ADDRESS', {
        what: `expected a network interface, found no "${this.#options.interface}"`,
        where,
        remedy: `choose one of ${known}`,
      })
    }
    const { exitCode, signalCode } = this.#child
    const end = signalCode === null ? `exit code ${exitCode}` : signalCode
    return new MeshError('MESH_ERR_IO', { what: `tcpdump ended with ${end}`, where, remedy: said })
  }
}
