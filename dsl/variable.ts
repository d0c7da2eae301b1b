/** Variables of a fleet: their types as values, so that any inventory can be checked against them when it is loaded. */

import { nearest } from '../errors/suggest.ts'
import type { Parsed } from './units.ts'

/** The type of a variable. */
export interface Variable<T> {
  /** What a reader calls it: `text`, `integer`, `one of a, b`. */
  readonly kind: string
  readonly optional: boolean
  /** Takes a value of an inventory. */
  readonly parse: (value: unknown) => Parsed<T>
  /** Takes a value of the command line (`-e name=value`). */
  readonly parseText: (text: string) => Parsed<T>
}

export type Variables = Readonly<Record<string, Variable<unknown>>>

/** The values that variables of these types take. */
export type ValuesOf<V extends Variables> = {
  readonly [K in keyof V]: V[K] extends Variable<infer T> ? T : never
}

/** A text that is not empty. */
export const text: Variable<string> = {
  kind: 'text',
  optional: false,
  parse: (value) => (typeof value === 'string' && value !== '' ? value : wrong(value, 'a text that is not empty')),
  parseText: (value) => text.parse(value),
}

/** A whole number. */
export const integer: Variable<number> = {
  kind: 'integer',
  optional: false,
  parse: (value) => (Number.isSafeInteger(value) ? (value as number) : wrong(value, 'a whole number')),
  parseText: (value) => (/^-?\d+$/.test(value) ? Number(value) : wrong(value, 'a whole number')),
}

/** True or false. On the command line `true` or `false`, and no other word. */
export const boolean: Variable<boolean> = {
  kind: 'boolean',
  optional: false,
  parse: (value) => (typeof value === 'boolean' ? value : wrong(value, 'true or false')),
  parseText: (value) => (value === 'true' ? true : value === 'false' ? false : wrong(value, 'true or false')),
}

/** One of some words. */
export function oneOf<const W extends readonly string[]>(...words: W): Variable<W[number]> {
  const parse = (value: unknown): Parsed<W[number]> => {
    if (typeof value === 'string' && words.includes(value)) return value
    const close = typeof value === 'string' ? nearest(value, words) : undefined
    return wrong(value, `one of ${words.join(', ')}${close ? ` (did you mean ${close}?)` : ''}`)
  }
  return { kind: `one of ${words.join(', ')}`, optional: false, parse, parseText: parse }
}

/** Several values of one type. On the command line separated by commas. */
export function list<T>(of: Variable<T>): Variable<readonly T[]> {
  const all = <V>(values: readonly V[], parse: (value: V) => Parsed<T>): Parsed<readonly T[]> => {
    const parsed = values.map(parse)
    return parsed.find(isProblem) ?? (parsed as readonly T[])
  }
  return {
    kind: `list of ${of.kind}`,
    optional: false,
    parse: (value) => (Array.isArray(value) ? all(value as unknown[], of.parse) : wrong(value, `a list of ${of.kind}`)),
    parseText: (value) => all(value === '' ? [] : value.split(','), of.parseText),
  }
}

/** A variable that an inventory need not give. */
export function optional<T>(of: Variable<T>): Variable<T | undefined> {
  return {
    kind: of.kind,
    optional: true,
    parse: (value) => (value === undefined ? undefined : of.parse(value)),
    parseText: (value) => of.parseText(value),
  }
}

export function isProblem(value: unknown): value is { readonly problem: string } {
  return typeof value === 'object' && value !== null && 'problem' in value
}

function wrong(value: unknown, what: string): { problem: string } {
  return { problem: `${value === undefined ? 'nothing' : JSON.stringify(value)} is not ${what}` }
}
