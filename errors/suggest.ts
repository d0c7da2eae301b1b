/** The word that somebody probably meant. */

import { distance } from 'fastest-levenshtein'

/** The nearest of some words, where one is near enough to be a slip of the keyboard. */
export function nearest(word: string, words: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3))
  let best: { word: string; distance: number } | undefined
  for (const candidate of words) {
    const d = distance(word.toLowerCase(), candidate.toLowerCase())
    if (d <= limit && (!best || d < best.distance)) best = { word: candidate, distance: d }
  }
  return best?.word
}
