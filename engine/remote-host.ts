/** The port over a connection: one session for each user, one batch for each call. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, Lock, Request, Session } from '../connection/connection.ts'
import type { Handler } from '../dsl/handler.ts'
import type { FromOutside } from '../dsl/observation.ts'
import type { BecomeMethod } from '../dsl/inventory.ts'
import type { AnyResource } from '../dsl/resource.ts'
import { Failure } from '../errors/failure.ts'
import { batch, type Result } from '../probe/batch.ts'
import { type BaseFacts, factsScript, parseFacts } from '../probe/facts.ts'
import type { HttpAnswer } from '../probe/http.ts'
import { tail } from '../probe/probe.ts'
import type { Script } from '../shell/script.ts'
import { type Collected, sectionAnswers, sections, sectionsEnded } from '../shell/sections.ts'
import { taskDeadline } from './decide.ts'
import type { As, Host, Step, StepEnd } from './host.ts'

export interface RemoteHostOptions {
  readonly become: BecomeMethod
  readonly becomePassword: string | undefined
  /** Taken by every session, for each is of another user, before anything is asked; without it for what only looks. */
  readonly lock?: Lock | undefined
}

/** Seconds that one batch of questions may take. */
const readDeadline = 120

export class RemoteHost implements Host {
  readonly name: string
  readonly #connect: () => Promise<Connection>
  readonly #options: RemoteHostOptions
  readonly #sessions = new Map<As, Promise<Session>>()
  #connection: Promise<Connection> | undefined
  #traffic: Connection['traffic'] | undefined
  /** Trips over other connections. */
  #others = 0

  constructor(name: string, connect: () => Promise<Connection>, options: RemoteHostOptions) {
    this.name = name
    this.#connect = connect
    this.#options = options
  }

  get trips(): number {
    return (this.#traffic?.trips ?? 0) + this.#others
  }

  async facts(as: As): Promise<BaseFacts> {
    return parseFacts((await this.#session(as)).greeting)
  }

  async read(resources: readonly AnyResource[], as: As): Promise<readonly Result<unknown>[]> {
    const questions = batch(resources.map(({ read }) => read))
    const answer = await this.#run(questions.script, as, readDeadline)
    if (answer.timedOut) {
      const failure = new Failure(
        'E_DEADLINE',
        `The host did not answer the questions of the play within ${readDeadline} s.`,
      )
      return resources.map(() => ({ failure }))
    }
    return questions.results({ status: answer.status ?? 1, stdout: answer.stdout, stderr: answer.stderr.toString() })
  }

  async apply(steps: readonly Step[], as: As): Promise<readonly StepEnd[]> {
    const scripts = steps.map(({ script }) => script)
    return this.#all(scripts, as, Math.max(...steps.map(({ deadline }) => deadline)), { stopAtFailure: true })
  }

  async anew(steps: readonly Step[], as: As): Promise<readonly StepEnd[]> {
    // The lock is ours already, and a second session would wait for it.
    const other = new RemoteHost(this.name, this.#connect, { ...this.#options, lock: undefined })
    try {
      return await other.apply(steps, as)
    } finally {
      this.#others += other.trips
      await other.close()
    }
  }

  async react(handlers: readonly Handler[], as: As): Promise<readonly StepEnd[]> {
    const scripts = handlers.map(({ script }) => script)
    return this.#all(scripts, as, taskDeadline, { stopAtFailure: false })
  }

  async ask({ request }: FromOutside): Promise<Result<HttpAnswer>> {
    try {
      const { ask } = await import('../connection/http.ts')
      return { value: await ask(request) }
    } catch (error) {
      if (error instanceof Failure) return { failure: error }
      throw error
    }
  }

  async pause(seconds: number): Promise<void> {
    await sleep(seconds * 1000)
  }

  async close(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined)
    await connection?.close()
  }

  async #all(
    scripts: readonly Script[],
    as: As,
    deadline: number,
    how: { readonly stopAtFailure: boolean },
  ): Promise<readonly StepEnd[]> {
    const parts = scripts.map((script) => ({ script }))
    const answer = await this.#run(sections(parts, how), as, deadline)
    const answers = answer.timedOut ? undefined : sectionAnswers(answer.stdout, parts.length)
    if (answers) {
      return answers.map(({ status, stdout, stderr }, i) => {
        if (status === undefined) return 'not run'
        return status === 0 ? 'done' : failed(scripts[i]!, status, stderr, stdout)
      })
    }
    // Ended in the middle: those that had ended before are done, the next one is the cause.
    const ended = sectionsEnded(answer.stdout)
    return scripts.map((script, i) => {
      if (i < ended) return 'done'
      return i > ended ? 'not run' : cut(script, answer.timedOut ? deadline : undefined, answer.stderr)
    })
  }

  async #run(collected: Collected, as: As, deadline: number) {
    const request: Request = { script: collected.text, input: collected.input, deadline }
    const session = await this.#session(as)
    const [answer] = await session.run([request])
    return answer!
  }

  #session(as: As): Promise<Session> {
    const known = this.#sessions.get(as)
    if (known) return known
    const session = this.#open(as)
    this.#sessions.set(as, session)
    return session
  }

  async #open(as: As): Promise<Session> {
    const connection = await (this.#connection ??= this.#connect())
    this.#traffic = connection.traffic
    const { lock } = this.#options
    if (as === undefined) return connection.open({ greet: factsScript, lock })
    // Who logs in as root needs no sudo to be root, which a container often does not even have.
    const login = connection.user ?? (await this.facts(undefined)).user
    if (as === login) return this.#session(undefined)
    const become = { method: this.#options.become, user: as, password: this.#options.becomePassword }
    return connection.open({ become, greet: factsScript, lock })
  }
}

function failed(script: Script, status: number, stderr: Buffer, stdout: Buffer): Failure {
  const said = tail((stderr.length > 0 ? stderr : stdout).toString())
  const words = said.split('\n').at(-1)
  return new Failure('E_COMMAND', words || `A command ended with status ${status}.`, {
    seen: { command: brief(script), status, output: said },
  })
}

function cut(script: Script, deadline: number | undefined, stderr: Buffer): Failure {
  const message =
    deadline === undefined ? 'The script was ended by a signal.' : `It took longer than ${deadline} s, and was ended.`
  return new Failure(deadline === undefined ? 'E_COMMAND' : 'E_DEADLINE', message, {
    seen: { command: brief(script), status: undefined, output: tail(stderr.toString()) },
    hint:
      deadline === undefined ? undefined : 'Give the task more time with `.timeout()`, or find out what it waits for.',
  })
}

/** What was run, on a line of bearable length. */
function brief({ brief: line }: Script): string {
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}
