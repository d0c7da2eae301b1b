/** The questions of many probes as one script, and its answer as theirs. */

import { Failure } from '../errors/failure.ts'
import { type Collected, type Section, sectionAnswers, sections } from '../shell/sections.ts'
import { type Output, type Probe, type Question, standsAlone, tail } from './probe.ts'

/** What a probe came to: its value, or why there is none. */
export type Result<T> = { readonly value: T } | { readonly failure: Failure }

export interface Batch {
  readonly script: Collected
  /** The results in the order of the probes. */
  readonly results: (output: Output) => readonly Result<unknown>[]
}

interface Group {
  readonly collector: Question['collector']
  readonly asked: unknown[]
  readonly index: Map<string, number>
}

export function batch(probes: readonly Probe<unknown>[]): Batch {
  const groups = group(probes.flatMap((probe) => probe.questions))
  const parts: Section[] = groups.map(({ collector, asked }) => ({
    script: collector.ask(asked),
    ...(collector.aside && { aside: true }),
  }))
  return {
    script: sections(parts),
    results(output) {
      const answers = sectionAnswers(output.stdout, parts.length)
      if (!answers) return probes.map(() => ({ failure: torn(output) }))
      const byGroup = new Map(groups.map((g, i) => [g, answersOf(g, answers[i]!)]))
      return probes.map((probe) => result(probe, (question) => find(groups, byGroup, question)))
    },
  }
}

/** Questions of one kind together, equal ones once. */
function group(questions: readonly Question[]): Group[] {
  const groups = new Map<string, Group>()
  for (const { collector, asked } of questions) {
    const id = JSON.stringify(asked)
    const name = standsAlone(collector) ? `${collector.name} ${id}` : collector.name
    let entry = groups.get(name)
    if (!entry) groups.set(name, (entry = { collector, asked: [], index: new Map() }))
    if (!entry.index.has(id)) {
      entry.index.set(id, entry.asked.length)
      entry.asked.push(asked)
    }
  }
  return [...groups.values()]
}

function answersOf(
  { collector, asked }: Group,
  answer: { status: number | undefined; stdout: Buffer; stderr: Buffer },
) {
  const output: Output = { status: answer.status ?? 1, stdout: answer.stdout, stderr: answer.stderr.toString() }
  try {
    return collector.answers(output, asked)
  } catch (error) {
    const failure = error instanceof Failure ? error : internal(error)
    return asked.map(() => failure)
  }
}

function find(
  groups: readonly Group[],
  answers: Map<Group, readonly unknown[]>,
  { collector, asked }: Question,
): unknown {
  const id = JSON.stringify(asked)
  const entry = groups.find((g) => g.collector.name === collector.name && g.index.has(id))!
  return answers.get(entry)![entry.index.get(id)!]
}

function result(probe: Probe<unknown>, answer: (question: Question) => unknown): Result<unknown> {
  const answers = probe.questions.map(answer)
  const failure = answers.find((a) => a instanceof Failure)
  if (failure instanceof Failure) return { failure }
  try {
    return { value: probe.parse(answers) }
  } catch (error) {
    return { failure: error instanceof Failure ? error : internal(error) }
  }
}

function torn(output: Output): Failure {
  return new Failure('E_PROBE_UNPARSABLE', 'The host could not answer the questions of the play.', {
    seen: {
      command: 'the batch of questions',
      status: output.status,
      output: tail(output.stderr || output.stdout.toString()),
    },
  })
}

function internal(error: unknown): Failure {
  return new Failure('E_INTERNAL', `A parser failed: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  })
}
