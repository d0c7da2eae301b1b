/** The parameters of the root of htb, whose classes are not owned, in the kernel's units. */

import { knownAfterApply } from '../../dsl/known-after.ts'
import type { Parsed } from '../../dsl/units.ts'
import { type Discipline, word } from './discipline.ts'
import { largestCount, parseParameters, type Parsers, type Said, whole } from './parameters.ts'

/** Parameters of the root of htb; what is not said is the kernel's default. */
export interface HtbOptions {
  /** The class of what no filter has put into one, by its minor number as `tc` writes it, in hexadecimal: `0x10` is class `1:10`. @default none: not shaped */
  readonly default?: `0x${string}`
  /** A class that does not say its quantum has its rate by this. @default 10 */
  readonly r2q?: number
  /** Packets in the queue of what is not shaped. @default the device's `txqueuelen` when the qdisc is made */
  readonly directQlen?: number
}

/** All parameters as a host has them. */
export type Htb = {
  readonly default: number
  readonly r2q: number
  readonly directQlen: number | typeof knownAfterApply
}

/** The kernel's own. */
export const htbDefaults: Htb = { default: 0, r2q: 10, directQlen: knownAfterApply }

const parsers: Parsers<HtbOptions> = {
  default: minor,
  r2q: whole(1, 2 ** 31 - 1),
  directQlen: whole(0, largestCount - 1),
}

/** What a play says, in the kernel's units; or everything that is wrong with it. */
export function parseHtb(options: HtbOptions): Said<Htb> {
  return parseParameters('htb', parsers, options)
}

export const htb: Discipline<Htb> = {
  kind: 'htb',
  hasClasses: true,
  read: (options) => readHtb(options as unknown as HtbJson),
  complete: (wish, now) => ({ ...htbDefaults, ...(now && { directQlen: now.directQlen }), ...wish }),
  words: (values) => [
    ...(values.default === undefined ? [] : ['default', `0x${values.default.toString(16)}`]),
    ...word('r2q', values.r2q),
    ...word('direct_qlen', values.directQlen),
  ],
  // «Change operation not supported by specified qdisc», even with what it has.
  isChangeable: () => false,
  show: ({ default: id, r2q, directQlen }) =>
    [
      'htb',
      id === 0 ? 'default none' : `default 0x${id.toString(16)}`,
      ...(r2q === htbDefaults.r2q ? [] : [`r2q ${r2q}`]),
      ...(directQlen === knownAfterApply ? [] : [`direct_qlen ${directQlen}`]),
    ].join(' '),
  // Made anew it would lose the classes that others have put below it.
  again: () => 'leave',
  isShaper: () => true,
}

/** What `tc -j` prints of it, beside a counter. */
interface HtbJson {
  readonly default: string
  readonly r2q: number
  readonly direct_qlen: number
  readonly offload?: unknown
}

function readHtb(json: HtbJson): Htb | undefined {
  if (json.offload) return undefined
  return { default: Number.parseInt(json.default, 16), r2q: json.r2q, directQlen: json.direct_qlen }
}

/** `tc` takes `10` for 16, so that the base must be said. */
function minor(value: string): Parsed<number> {
  const id = /^0x[0-9a-f]{1,4}$/i.test(value) ? Number(value) : 0
  return id > 0 ? id : { problem: `${JSON.stringify(value)} is not a minor number in hexadecimal, from 0x1 to 0xffff` }
}
