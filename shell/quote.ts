/** One word for a POSIX shell. */

const bare = /^[A-Za-z0-9_@%+=:,./-]+$/

/** Quotes a string so that every POSIX shell reads it as exactly one word. */
export function quote(word: string): string {
  if (word.includes('\0')) throw new RangeError('a shell word cannot hold a NUL byte')
  return bare.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
