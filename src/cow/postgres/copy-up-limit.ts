/** Rows of production that one statement may bring to a branch, where nobody says another number: some seconds, some 10 MB. */
export const DEFAULT_MAX_COPY_UP_ROWS: number = 50_000
