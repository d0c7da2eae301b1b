/** The kinds of qdisc that a play can say. */

import { cake } from './cake.ts'
import type { Discipline, Kind } from './discipline.ts'
import { fq } from './fq.ts'
import { fqCodel } from './fq-codel.ts'
import { htb } from './htb.ts'
import { tbf } from './tbf.ts'

const disciplines: Readonly<Record<Kind, Discipline>> = { fq_codel: fqCodel, fq, cake, tbf, htb }

export function disciplineOf(kind: string): Discipline | undefined {
  return Object.hasOwn(disciplines, kind) ? disciplines[kind as Kind] : undefined
}
