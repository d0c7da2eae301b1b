/** Whether two shapes are the same: a play and an inventory may each have loaded a copy of one. */

import type { ShapeSpec } from '../dsl/groups.ts'
import type { Variables } from '../dsl/variable.ts'

/** What the shape of a play has otherwise than the shape of an inventory, in a reader's words. */
export function shapeDifferences(play: ShapeSpec, inventory: ShapeSpec): readonly string[] {
  if (play === inventory) return []
  const groups = new Set([...Object.keys(play.groups), ...Object.keys(inventory.groups)])
  return [
    ...variableDifferences(play.vars, inventory.vars, 'every host'),
    ...[...groups].flatMap((name) => {
      const [a, b] = [play.groups[name], inventory.groups[name]]
      if (a && b) return variableDifferences(a.vars, b.vars, `group ${name}`)
      return [`only the ${a ? 'play' : 'inventory'}'s has the group ${name}`]
    }),
  ]
}

function variableDifferences(play: Variables = {}, inventory: Variables = {}, where: string): readonly string[] {
  const kind = (variables: Variables, name: string) => {
    const variable = variables[name]
    return variable ? `${variable.optional ? 'optional ' : ''}${variable.kind}` : 'missing'
  }
  return [...new Set([...Object.keys(play), ...Object.keys(inventory)])].flatMap((name) => {
    const [a, b] = [kind(play, name), kind(inventory, name)]
    return a === b ? [] : [`for ${where} the variable ${name} is ${a} in the play's and ${b} in the inventory's`]
  })
}
