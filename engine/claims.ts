/** What two wishes claim of one place, told so that a reader sees where they differ. */

import { isDeepStrictEqual } from 'node:util'
import { type AnyResource, showValue, type Wish } from '../dsl/resource.ts'

type Pair = readonly [string, string]

const secret: Pair = ['one value, which is secret', 'another']

/** By their texts where those differ, by what the place shows of them, or by the fields that differ. */
export function showClaims(a: Wish, b: Wish): Pair {
  if (a.resource.sensitive || b.resource.sensitive) return secret
  if (a.whole === undefined || b.whole === undefined) return short([showClaim(a), showClaim(b)])
  const [one, other] = [madeOfNothing(a), madeOfNothing(b)]
  return short(
    byTexts(one, other) ?? byValues(one, other) ?? byFields(a.whole, b.whole) ?? [showClaim(a), showClaim(b)],
  )
}

/** Two values of a place: by their texts where those differ, as the place shows them, or, where that is long, by the fields that differ. */
export function showMade(resource: AnyResource, a: unknown, b: unknown): Pair {
  if (resource.sensitive) return secret
  const [one, other] = [a, b].map((value) => ({ shown: showValue(resource, value), text: resource.text?.(value) }))
  const isLong = [one, other].some((made) => made!.shown.length > 60)
  return short(byTexts(one, other) ?? (isLong ? byFields(a, b) : undefined) ?? [one!.shown, other!.shown])
}

/** A wish with the value that it makes of a fresh place; undefined where it makes none. */
interface Made {
  readonly shown: string
  readonly text: string | undefined
}

function madeOfNothing({ resource, desired }: Wish): Made | undefined {
  if (resource.fresh === undefined) return undefined
  try {
    const value = desired(resource.fresh, { user: 'root', group: 'root' })
    return { shown: showValue(resource, value), text: resource.text?.(value) }
  } catch {
    // It refuses a fresh place, or needs to know of others.
    return undefined
  }
}

function byTexts(a: Made | undefined, b: Made | undefined): Pair | undefined {
  if (a?.text === undefined || b?.text === undefined || a.text === b.text) return undefined
  const [one, other] = [a.text.split('\n'), b.text.split('\n')]
  const at = one.findIndex((line, i) => line !== other[i])
  const line = at < 0 ? one.length : at
  const told = (lines: readonly string[]) => (line < lines.length ? JSON.stringify(lines[line]) : 'its end')
  return [`${told(one)} in line ${line + 1}`, told(other)]
}

function byValues(a: Made | undefined, b: Made | undefined): Pair | undefined {
  return a && b && a.shown !== b.shown ? [a.shown, b.shown] : undefined
}

function byFields(a: unknown, b: unknown): Pair | undefined {
  if (!isObject(a) || !isObject(b)) return undefined
  const [one, other] = [new Map(Object.entries(a)), new Map(Object.entries(b))]
  const keys = [...new Set([...one.keys(), ...other.keys()])]
  const differing = keys.filter((key) => !isDeepStrictEqual(one.get(key), other.get(key)))
  return [fields(one, differing) || 'less of it', fields(other, differing) || 'less of it']
}

function fields(claim: ReadonlyMap<string, unknown>, keys: readonly string[]): string {
  return keys.flatMap((key) => (claim.has(key) ? [`${key} ${plain(claim.get(key))}`] : [])).join(', ')
}

/** A claim need not be a value of the place: it may be a word of the module, such as «absent». */
function showClaim(wish: Wish): string {
  if (wish.whole === undefined) return 'a part of it'
  return isObject(wish.whole) ? (madeOfNothing(wish)?.shown ?? plain(wish.whole)) : plain(wish.whole)
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function short([a, b]: Pair): Pair {
  const cut = (text: string) => (text.length > 80 ? `${text.slice(0, 77)}…` : text)
  return [cut(a), cut(b)]
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
