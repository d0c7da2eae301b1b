/** What places make of the real output of their script, and their scripts in the shells of this machine. */

import { spawnSync } from 'node:child_process'
import type { AnyResource, Resource } from '../../dsl/resource.ts'
import { Failure } from '../../errors/failure.ts'
import type { Output } from '../../probe/probe.ts'
import type { Script } from '../../shell/script.ts'
import { Folder, type ShellName } from '../connection/shells.ts'

/** The script by which places of one kind are read together. */
export function readScript(resources: readonly AnyResource[]): Script {
  const questions = resources.flatMap(({ read }) => read.questions)
  return questions[0]!.collector.ask(questions.map(({ asked }) => asked))
}

/** What places of one kind, each with one question, make of its output: a value, or why there is none. */
export function answers<T>(resources: readonly Resource<T>[], output: Partial<Output>): readonly (T | Failure)[] {
  const whole: Output = { status: 0, stdout: Buffer.alloc(0), stderr: '', ...output }
  const questions = resources.flatMap(({ read }) => read.questions)
  return resources.map(({ read }, i) => {
    try {
      const answer = questions[0]!.collector.answers(
        whole,
        questions.map(({ asked }) => asked),
      )[i]
      return answer instanceof Failure ? answer : read.parse([answer])
    } catch (error) {
      if (error instanceof Failure) return error
      throw error
    }
  })
}

/** Runs a script in a shell of this machine; programs that are given stand in front of it. */
export function inShell(shell: ShellName, script: Script, programs: Readonly<Record<string, string>> = {}) {
  const folder = new Folder(shell)
  for (const [name, text] of Object.entries(programs)) folder.program(name, text)
  try {
    const env = { ...process.env, LC_ALL: 'C', PATH: `${folder.path}:${process.env['PATH']}` }
    const { status, stdout, stderr } = spawnSync('sh', ['-c', script.text], { env, input: script.input ?? '' })
    return { status: status ?? -1, stdout, stderr: stderr.toString() }
  } finally {
    folder.remove()
  }
}
