/** Text as one word of a POSIX shell. Pure. */

/** The text as it is where a shell takes it for one word, else in single quotes. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
