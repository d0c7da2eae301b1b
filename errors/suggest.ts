/** The word that somebody probably meant. */

import { distance } from 'fastest-levenshtein'

/** The nearest of some words, where one is near enough to be a slip of the keyboard. */
export function nearest(word: string, words: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3))
  let best: { readonly word: string; readonly slips: number } | undefined
  for (const candidate of words) {
    const slips = countSlips(word.toLowerCase(), candidate.toLowerCase())
    if (slips <= limit && (!best || slips < best.slips)) best = { word: candidate, slips }
  }
  return best?.word
}

/** Edits between two words; two letters that changed places are one. */
function countSlips(a: string, b: string): number {
  const edits = distance(a, b)
  const swapped = edits === 2 && a.length === b.length && letters(a) === letters(b)
  return swapped ? 1 : edits
}

function letters(word: string): string {
  return word.split('').sort().join('')
}
