/** More changes than this make it another word. */
const MAX_CHANGES = 3

/** Longer names are not compared: they are nobody's typing error. */
const MAX_NAME_CHARS = 64

/** The known name that a mistyped one was probably meant to be, undefined where none is near. */
export function nearestName(mistyped: string, known: Iterable<string>): string | undefined {
  let nearest: string | undefined
  let fewest = MAX_CHANGES + 1
  for (const name of known) {
    const longer = Math.max(mistyped.length, name.length)
    if (longer > MAX_NAME_CHARS || Math.abs(mistyped.length - name.length) >= fewest) continue
    const changes = changesBetween(mistyped, name)
    // Of a short word, three letters are most of it.
    if (changes >= fewest || changes > longer / 2) continue
    nearest = name
    fewest = changes
  }
  return nearest
}

/** Letters put in, left out, exchanged or swapped with their neighbour (optimal string alignment distance). */
function changesBetween(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row++) {
    const next = [row]
    for (let column = 1; column <= b.length; column++) {
      const differs = a[row - 1] === b[column - 1] ? 0 : 1
      let least = Math.min(at(last, column) + 1, at(next, column - 1) + 1, at(last, column - 1) + differs)
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) least = Math.min(least, at(beforeLast, column - 2) + 1)
      next.push(least)
    }
    beforeLast = last
    last = next
  }
  return at(last, b.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity
}
