/** The groups of a fleet and the variables that their hosts have, as types. */

import type { ValuesOf, Variables } from './variable.ts'

export interface GroupShape {
  readonly vars?: Variables
}

export interface ShapeSpec {
  /** Variables that every host has. */
  readonly vars?: Variables
  readonly groups: Readonly<Record<string, GroupShape>>
}

export type GroupName<S extends ShapeSpec> = Extract<keyof S['groups'], string>

/** Variables that every host of the fleet has. */
export type FleetVars<S extends ShapeSpec> = S['vars'] extends Variables ? ValuesOf<S['vars']> : unknown

/** Variables that hosts of a group have beside those of the fleet. */
export type GroupVars<S extends ShapeSpec, G extends GroupName<S>> = S['groups'][G]['vars'] extends Variables
  ? ValuesOf<S['groups'][G]['vars']>
  : unknown
