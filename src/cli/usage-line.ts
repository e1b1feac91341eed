/** What commander says of a wrong command line, as our own errors look: one line with its code. */
export function usageLine(text: string): string {
  const line = text
    .trim()
    .replace(/^error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ')
  return `mesh: ${line} [MESH_ERR_USAGE]\n`
}
