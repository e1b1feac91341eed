/** Turns one screen of lines into the next with as few bytes as that takes: only lines that changed are written. */
export class ScreenUpdate {
  #shown: readonly string[] | undefined

  /** Escape sequences and text. Lines have their colours, and end with them switched off. */
  to(lines: readonly string[]): string {
    const before = this.#shown
    let text = before === undefined ? '\u001B[2J' : ''
    for (const [index, line] of lines.entries()) {
      if (line !== before?.[index]) text += `\u001B[${index + 1};1H${line}\u001B[K`
    }
    this.#shown = lines
    return text
  }

  /** The screen shows something else by now, or has another size: the next one is written whole. */
  forget(): void {
    this.#shown = undefined
  }
}
