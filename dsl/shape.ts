/** What plays may count on: the groups and variables of a fleet, as a value that every inventory is checked against. */

import type { ShapeSpec } from './groups.ts'
import { play, type PlayStart } from './play.ts'

export interface Shape<S extends ShapeSpec = ShapeSpec> {
  readonly spec: S
  /**
   * Begins a play.
   *
   * @example
   * fleet.play('database').hosts('db').become().tasks(({ vars }) => [ … ])
   */
  play(name: string): PlayStart<S>
}

/**
 * Declares the groups and variables of a fleet.
 *
 * @example
 * export const fleet = shape({ vars: { domain: text }, groups: { web: { vars: { php: text } }, db: {} } })
 */
export function shape<const S extends ShapeSpec>(spec: S): Shape<S> {
  const self: Shape<S> = { spec, play: (name) => play(spec, name) }
  return self
}
