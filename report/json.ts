/** Events as lines of JSON, for programs. */

import type { Event, FailureData } from '../engine/events.ts'

/** One event on a line. A reader takes the versions that it knows, and passes over the types of events that it does not. */
export function jsonLine(event: Event, version: number): string {
  return `${JSON.stringify({ version, ...event })}\n`
}

/** Mistakes before a run, in the place of its events. */
export function jsonMistakes(failures: readonly FailureData[], version: number): string {
  return `${JSON.stringify({ version, type: 'mistakes', failures })}\n`
}
