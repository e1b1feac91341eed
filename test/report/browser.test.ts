import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHROMIUM_ABSENT, NO_TIMEOUT, startChromium } from '../support/chromium.ts'
import { temporaryFolder } from '../support/mesh.ts'
import { pageOf, seriesOf } from './pages.ts'
import { shopRun, SLOWEST } from './runs.ts'

/** What Jenkins serves artifacts under, unless it is told otherwise (its documentation, "Configuring Content Security Policy"). */
const JENKINS_POLICY = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self';"

/** The verdict, eight charts, and a line for each of three routes. */
const PICTURES = 1 + 8 + 3
const WINDOW_WIDTH = 1100

const folder = temporaryFolder()
let browser: Browser
let server: Server

/** What the test asks of an element; these tests are compiled without the browser's own types. */
interface Shape {
  getBoundingClientRect(): { readonly width: number; readonly height: number; readonly right: number }
  querySelectorAll(selector: string): Iterable<Shape>
}

/** Runs in the page: what can be seen of a picture. */
function pictured(svgs: readonly Shape[]): readonly { width: number; height: number; right: number; marks: number }[] {
  return svgs.map((svg) => {
    const { width, height, right } = svg.getBoundingClientRect()
    const marks = [...svg.querySelectorAll('path, rect, polyline, line, circle')]
    const seen = marks.filter((mark) => {
      const box = mark.getBoundingClientRect()
      return box.width + box.height > 1
    })
    return { width, height, right, marks: seen.length }
  })
}

/** All that the browser had to say of a page, and the page. */
async function open(url: string, colorScheme: 'light' | 'dark'): Promise<{ page: Page; said: string[] }> {
  const page = await browser.newPage({ colorScheme, viewport: { width: WINDOW_WIDTH, height: 900 } })
  page.setDefaultTimeout(NO_TIMEOUT)
  const said: string[] = []
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => said.push(error.message))
  page.on('request', (request) => {
    if (request.url() !== url) said.push(`asked for ${request.url()}`)
  })
  await page.goto(url)
  return { page, said }
}

describe.skipIf(CHROMIUM_ABSENT)(`the report in a browser${CHROMIUM_ABSENT ? ` (${CHROMIUM_ABSENT})` : ''}`, () => {
  beforeAll(async () => {
    const text = pageOf(shopRun({ slowest: SLOWEST }), seriesOf(60, 3))
    writeFileSync(folder.path('report.html'), text)
    server = createServer((_, response) => {
      response.setHeader('content-security-policy', JENKINS_POLICY)
      response.setHeader('content-type', 'text/html')
      response.end(text)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    browser = await startChromium()
  })
  afterAll(async () => {
    await browser?.close()
    server?.close()
    folder.remove()
  })

  const places = {
    'from disk': () => pathToFileURL(folder.path('report.html')).href,
    "under Jenkins' policy": () => {
      const address = server.address()
      return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`
    },
  }

  it.each([
    ['from disk', 'light'],
    ['from disk', 'dark'],
    ["under Jenkins' policy", 'light'],
    ["under Jenkins' policy", 'dark'],
  ] as const)(
    'shows all of its charts %s in %s colours, asks for nothing, and gives no error',
    async (place, colours) => {
      const { page, said } = await open(places[place](), colours)
      const pictures = await page.locator('svg').evaluateAll(pictured)
      expect(pictures).toHaveLength(PICTURES)
      for (const { width, height, right, marks } of pictures) {
        expect([width > 50, height > 10, right <= WINDOW_WIDTH, marks > 0]).toEqual([true, true, true, true])
      }
      const shots = process.env['MESH_TEST_SCREENSHOTS']
      if (shots !== undefined) await page.screenshot({ path: join(shots, `${place}, ${colours}.png`), fullPage: true })
      const text = await page.locator('body').innerText()
      expect(text).toContain('The slowest 20')
      expect(said).toEqual([])
      await page.close()
    },
  )
})
