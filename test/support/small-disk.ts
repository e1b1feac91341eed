import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'

/** Why tests with a disk of their own are skipped, or false: only root may mount, and not in every container. */
export const MOUNT_ABSENT: string | false = whyNot()

/** A file system of its own, as small as a test wants it. */
export interface SmallDisk {
  readonly path: (name: string) => string
  resize(bytes: number): void
  remove(): void
}

/** Makes a folder a file system of `bytes`. Remove it after. */
export function mountSmallDisk(folder: string, bytes: number): SmallDisk {
  mkdirSync(folder, { recursive: true })
  mount('-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', folder)
  return {
    path: (name) => `${folder}/${name}`,
    resize: (size) => mount('-o', `remount,size=${size}`, folder),
    remove: () => {
      // Lazily: a process that still ends may hold a file open.
      execFileSync('umount', ['-l', folder], { stdio: 'ignore' })
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function mount(...words: readonly string[]): void {
  execFileSync('mount', words, { stdio: 'pipe' })
}

function whyNot(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux may mount a small disk'
  const folder = `/tmp/mesh-mount-${process.pid}`
  try {
    mountSmallDisk(folder, 65_536).remove()
    return false
  } catch {
    rmSync(folder, { recursive: true, force: true })
    return 'mounting a small disk is not permitted here'
  }
}
