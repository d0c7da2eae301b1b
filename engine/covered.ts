/** Events without the secrets that are known by their form: whatever tells a run, nothing tells those. */

import { withoutSecrets } from '../shell/secret-text.ts'
import type { Event } from './events.ts'

/** The same event. Keys of places stay as they are: others find the places by them. */
export function withSecretsCovered(event: Event): Event {
  return told(event)
}

function told<T>(value: T): T {
  if (typeof value === 'string') return withoutSecrets(value) as T
  if (Array.isArray(value)) return value.map((each) => told<unknown>(each)) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, name === 'key' ? each : told(each)]),
  ) as T
}
