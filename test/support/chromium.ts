import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const CHROMIUM = PATHS.find((path) => existsSync(path))

/** Why tests in a browser are skipped, or false. */
export const CHROMIUM_ABSENT: string | false = CHROMIUM === undefined ? 'chromium is not installed' : false

/** Half a minute is too little for a browser on a machine that is starved: the test has a time of its own. */
export const NO_TIMEOUT = 0

/** A real browser without a window. Whoever starts it closes it. */
export function startChromium(): Promise<Browser> {
  // As root, which CI often is, it has no sandbox of its own.
  return chromium.launch({ executablePath: CHROMIUM ?? 'chromium', args: ['--no-sandbox'], timeout: NO_TIMEOUT })
}
