/** Draws lines with Ink alone, in colours: what our own painting is held to. A worker, since the library looks for colours when it is loaded. */
import { renderToString, Text } from 'ink'
import { createElement } from 'react'
import { parentPort } from 'node:worker_threads'

parentPort?.on('message', (lines) => {
  parentPort?.postMessage(lines.map(drawn))
})

function drawn({ pieces, width }) {
  const texts = pieces.map((piece) => {
    if (typeof piece === 'string') return piece
    const [text, { colour, weight, inverse }] = piece
    return createElement(Text, { color: colour, bold: weight === 'bold', dimColor: weight === 'dim', inverse }, text)
  })
  return renderToString(createElement(Text, { wrap: 'truncate-end' }, ...texts), { columns: width })
}
