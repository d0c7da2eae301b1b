/** Whether a place is as a change should have left it. */

import { isDeepStrictEqual } from 'node:util'
import { knownAfterApply } from '../dsl/known-after.ts'

/** Deep equality, but for what the host was left to choose. */
export function fulfils(value: unknown, desired: unknown): boolean {
  if (desired === knownAfterApply) return value !== undefined && value !== null
  if (!isRecord(value) || !isRecord(desired)) return isDeepStrictEqual(value, desired)
  const keys = new Set([...Object.keys(value), ...Object.keys(desired)])
  return [...keys].every((key) => fulfils(value[key], desired[key]))
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
