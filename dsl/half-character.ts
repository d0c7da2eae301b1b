/** Text that nothing on a host can hold: half of a character. Encoded, it would become another one without a word. */

/** What is wrong with a text; undefined where UTF-8 can tell it. */
export function halfCharacter(text: string): string | undefined {
  const at = text.search(/\p{Surrogate}/u)
  if (at < 0) return undefined
  const shown = text.length > 60 ? text.slice(Math.max(0, at - 20), at + 20) : text
  return `${JSON.stringify(shown)} holds half of a character (a lone surrogate), which no name and no file can hold`
}
