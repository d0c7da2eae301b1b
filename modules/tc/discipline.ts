/** What the kinds of qdisc have in common: how one is read, completed, written and shown. */

import { knownAfterApply } from '../../dsl/known-after.ts'
import type { FqCodel } from './fq-codel.ts'

export type Kind = 'fq_codel' | 'fq' | 'cake' | 'tbf' | 'htb'

/** Parameters as the kernel keeps them. */
export type Values = Readonly<Record<string, unknown>>

/** Words of a command line of `tc`. */
export type Words = readonly (string | number)[]

/** What `tc -j` prints of one qdisc. */
export interface Row {
  readonly kind: string
  readonly handle: string
  readonly dev: string
  readonly root?: boolean
  readonly parent?: string
  readonly options?: Values
}

/** A kind of qdisc that a play can put at the root of a device. */
export interface Discipline<V extends Values = Values> {
  readonly kind: Kind
  /** Those that hang below it are another's, and stay when its own parameters are as said. */
  readonly hasClasses?: boolean
  /** From `tc -j`, and the qdiscs below; undefined where there is something that is not known here, and would be lost. */
  read(options: Values, below: readonly Row[]): V | undefined
  /** All values: what is not said is the kernel's default, or stays as it is. */
  complete(wish: Partial<V>, now: V | undefined): V
  /** The words for `tc` without its kind: all of them, since `replace` keeps what is not named. */
  words(values: Partial<V>, how: { readonly making: boolean }): Words
  /** Whether it can become another by a change of its parameters, without being made anew. */
  isChangeable(from: V, to: V): boolean
  show(values: V): string
  /** The fq_codel below it, where it has one. */
  child?(values: Partial<V>): Partial<FqCodel> | null
  /** How a unit that starts again puts it on a device that has it: by a change, by making it anew, or by leaving it. */
  again(wish: Partial<V>): 'change' | 'anew' | 'leave'
  /** Whether it holds back what is faster than a rate. */
  isShaper(wish: Partial<V>): boolean
}

/** A kind, and what a play says of it. */
export interface Wished {
  readonly discipline: Discipline
  readonly wish: Values
}

/** A parameter and its value, or nothing where there is none. */
export function word(name: string, value: unknown, unit = ''): Words {
  const says = (typeof value === 'number' || typeof value === 'string') && value !== knownAfterApply
  return says ? [name, `${value}${unit}`] : []
}
