/** The port between the engine and a host: read places, move them, run reactions. Remote hosts and hosts in memory have it. */

import type { Guard } from '../dsl/guard.ts'
import type { Handler } from '../dsl/handler.ts'
import type { FromOutside } from '../dsl/observation.ts'
import type { AnyResource } from '../dsl/resource.ts'
import type { Result } from '../probe/batch.ts'
import type { BaseFacts } from '../probe/facts.ts'
import type { HttpAnswer } from '../probe/http.ts'
import type { Failure } from '../errors/failure.ts'
import type { Script } from '../shell/script.ts'
import type { PendingChange } from './pending.ts'

/** The user to become; undefined for the one who logs in. */
export type As = string | undefined

/** One place that is moved from a value to another. */
export interface Step {
  readonly resource: AnyResource
  readonly from: unknown
  readonly to: unknown
  readonly script: Script
  /** Seconds. */
  readonly deadline: number
  /** Of a configuration test: the steps that it puts back where it fails. The place of such a step is the test itself. */
  readonly tests?: readonly Step[]
  /** The test itself. */
  readonly guard?: Guard
  /** Of a step that records or withdraws a reaction: what becomes of the records. */
  readonly pending?: PendingChange
  /** Of a step that keeps what another one replaces. */
  readonly keeps?: true
  /** Of a step that puts back what others did: those, in their order. */
  readonly undoes?: readonly Step[]
}

/** Whether a step moves a place, and is not a test or a record. */
export function isMove({ tests, pending, keeps }: Step): boolean {
  return tests === undefined && pending === undefined && !keeps
}

/** How a step ended; `not run` where one before it had failed. */
export type StepEnd = 'done' | 'not run' | Failure

/** Every call rejects with a Failure where the host cannot be reached, and only there. */
export interface Host {
  readonly name: string
  /** Times that we waited for the host so far. */
  readonly trips: number
  /** Connects, where that is not done, and says what the host is; the identity is the user's. */
  facts(as: As): Promise<BaseFacts>
  /** One trip. */
  read(resources: readonly AnyResource[], as: As): Promise<readonly Result<unknown>[]>
  /** One trip; stops at the first step that fails. */
  apply(steps: readonly Step[], as: As): Promise<readonly StepEnd[]>
  /** The same over a connection of its own, by a login of its own; rejects with a Failure where the host lets nobody in. */
  anew(steps: readonly Step[], as: As): Promise<readonly StepEnd[]>
  /** What a client gets that asks from where the play runs; undefined where there is nothing to ask, on a simulated host. */
  ask(view: FromOutside): Promise<Result<HttpAnswer> | undefined>
  /** Waits while an observation's window is open; a host in memory need not. */
  pause(seconds: number): Promise<void>
  /** One trip; runs all of them. */
  react(handlers: readonly Handler[], as: As): Promise<readonly StepEnd[]>
  close(): Promise<void>
}
