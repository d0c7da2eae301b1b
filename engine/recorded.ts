/** Values of places as records hold them: as they are, or where they are secret as keyed digests. */

import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type AnyResource, showValue } from '../dsl/resource.ts'
import { withSecretsCovered } from './covered.ts'
import { fulfils } from './fulfils.ts'
import type { Step } from './host.ts'
import type { Seal } from './sealed.ts'

export type Recorded = { readonly value: unknown } | { readonly digest: string }

/** Whether a value must not be in records: by its place, or because a secret is seen in it, such as the password that a host has. */
export function isSecretIn({ sensitive }: AnyResource, value: unknown): boolean {
  return sensitive === true || !isDeepStrictEqual(withSecretsCovered(value), value)
}

export class Recorder {
  readonly #seal: () => Seal

  /** @param seal is asked for when the first secret value is recorded or compared */
  constructor(seal: () => Seal) {
    this.#seal = seal
  }

  record(resource: AnyResource, value: unknown): Recorded {
    return isSecretIn(resource, value) ? { digest: this.#seal().fingerprint(value) } : { value }
  }

  /** Whether a value is the recorded one, but for what the host was left to choose. */
  isAs(recorded: Recorded, value: unknown): boolean {
    if ('digest' in recorded) return this.#seal().fingerprint(value) === recorded.digest
    return isDeepStrictEqual(recorded.value, value) || fulfils(value, recorded.value)
  }

  /** A digest of what a step runs, and of what that reads. */
  script({ script, resource }: Step): string {
    const input = Buffer.from(script.input ?? '')
    if (isSecretIn(resource, [script.text, input.toString()]))
      return this.#seal().fingerprint([script.text, input.toString('base64')])
    return createHash('sha256').update(`${script.text}\0`).update(input).digest('hex')
  }
}

/** What was said of a value that is another one now: it may look the same on a line. */
export function otherThan(resource: AnyResource, value: unknown, recorded: Recorded, who: string): string {
  if ('digest' in recorded) return `, which is not what ${who}`
  const was = showValue(resource, recorded.value)
  return was === showValue(resource, value) ? `, with other contents than ${who}` : `; ${who} ${was}`
}
