/** Typed questions to a host: a script that only looks, and a pure parser of its answer. */

import { Failure } from '../errors/failure.ts'
import type { Script } from '../shell/script.ts'

/** What a script answered. */
export interface Output {
  readonly status: number
  readonly stdout: Buffer
  readonly stderr: string
}

/** A kind of question of which many are asked by one script: all files share one `stat`, all units one `systemctl show`. */
export interface Collector<Q, A> {
  readonly name: string
  /** One script for all of them. It must only look. */
  readonly ask: (questions: readonly Q[]) => Script
  /** Their answers in the same order; a Failure in the place of one that could not be answered. */
  readonly answers: (output: Output, questions: readonly Q[]) => readonly (A | Failure)[]
  /** Runs beside the other questions; for what waits long and uses little, such as a database client. */
  readonly aside?: boolean
}

/** One question of a kind. Equal questions are asked once. */
export interface Question {
  readonly collector: Collector<unknown, unknown>
  readonly asked: unknown
}

/** A typed question. It may hold several questions and what their answers mean together. */
export class Probe<T> {
  readonly questions: readonly Question[]
  /** @internal Answers in the order of `questions`. Throws a Failure where they cannot be understood. */
  readonly parse: (answers: readonly unknown[]) => T

  private constructor(questions: readonly Question[], parse: (answers: readonly unknown[]) => T) {
    this.questions = questions
    this.parse = parse
  }

  /** A question of a kind that is asked together with its like. */
  static of<Q, A>(collector: Collector<Q, A>, asked: Q): Probe<A> {
    return new Probe(
      [{ collector: collector as unknown as Collector<unknown, unknown>, asked }],
      ([answer]) => answer as A,
    )
  }

  /** A script of its own, and the parser of what it answers. */
  static script<T>(script: Script, parse: (output: Output) => T, options: { readonly aside?: boolean } = {}): Probe<T> {
    return Probe.of(options.aside ? asideScripts : scripts, script).map(parse)
  }

  /** An answer that needs no question. */
  static known<T>(value: T): Probe<T> {
    return new Probe([], () => value)
  }

  /** Several questions whose answers are wanted together. */
  static all<P extends Readonly<Record<string, Probe<unknown>>>>(
    probes: P,
  ): Probe<{ readonly [K in keyof P]: P[K] extends Probe<infer T> ? T : never }> {
    type Result = { readonly [K in keyof P]: P[K] extends Probe<infer T> ? T : never }
    const entries = Object.entries(probes)
    return new Probe(
      entries.flatMap(([, probe]) => probe.questions),
      (answers) => {
        let at = 0
        return Object.fromEntries(
          entries.map(([name, probe]) => [name, probe.parse(answers.slice(at, (at += probe.questions.length)))]),
        ) as Result
      },
    )
  }

  map<U>(parse: (value: T) => U): Probe<U> {
    return new Probe(this.questions, (answers) => parse(this.parse(answers)))
  }
}

const scripts: Collector<Script, Output> = {
  name: 'script',
  ask: ([script]) => script!,
  answers: (output) => [output],
}

const asideScripts: Collector<Script, Output> = { ...scripts, name: 'script aside', aside: true }

/** @internal Whether questions of this kind each need a script of their own. */
export function standsAlone(collector: Collector<unknown, unknown>): boolean {
  return collector.name === scripts.name || collector.name === asideScripts.name
}

/** What a host answered that nobody understands. */
export function unparsable(what: string, output: Output): Failure {
  return new Failure(
    'E_PROBE_UNPARSABLE',
    `The host answered the question for ${what} in a form that is not understood.`,
    {
      seen: { command: what, status: output.status, output: tail(output.stderr || output.stdout.toString()) },
    },
  )
}

/** The last lines of what a command wrote, for a reader. */
export function tail(text: string, count = 12): string {
  const all = text.replace(/\s+$/, '').split('\n')
  return all.slice(-count).join('\n')
}
