/** What a terminal shows of a line: each character with the codes it stands under, without blanks at the end. */
export function cellsOf(line: string): readonly string[] {
  const [plain = '', ...rest] = line.split('\u001B[')
  const shown = [...plain].map((character) => cellOf(character, []))
  let codes: readonly number[] = []
  for (const part of rest) {
    const end = part.indexOf('m')
    for (const code of part.slice(0, end).split(';')) codes = changed(codes, Number(code))
    shown.push(...[...part.slice(end + 1)].map((character) => cellOf(character, codes)))
  }
  while (shown.at(-1) === '') shown.pop()
  return shown
}

/** Of a blank only its background is seen, and that is there in no look but the inverse one. */
function cellOf(character: string, codes: readonly number[]): string {
  const seen = character !== ' ' || codes.includes(7) ? codes : []
  return `${character} ${seen.toSorted((a, b) => a - b).join(' ')}`.trim()
}

/** What each code that ends something ends. */
const ENDS: Readonly<Record<number, (code: number) => boolean>> = {
  0: () => true,
  22: (code) => code === 1 || code === 2,
  27: (code) => code === 7,
  39: (code) => code >= 30,
}

function changed(codes: readonly number[], code: number): readonly number[] {
  const ends = ENDS[code]
  if (ends !== undefined) return codes.filter((each) => !ends(each))
  // One colour takes another's place.
  return [...codes.filter((each) => each !== code && (each < 30 || code < 30)), code]
}
