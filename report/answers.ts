/** What hosts answered to one command: equal answers are told once. */

import type { FailureData } from '../engine/events.ts'
import { failureOn } from './failure.ts'
import { harmless } from './layout.ts'
import { Page, type PageOptions } from './page.ts'

export type Answered =
  | {
      readonly host: string
      /** Exit status; undefined where the command was ended. */
      readonly status: number | undefined
      readonly stdout: string
      readonly stderr: string
      readonly failure?: undefined
    }
  | { readonly host: string; readonly failure: FailureData }

/** Answers with the hosts that gave them: those that went well first, then failures, then hosts that were not reached. */
export function answersText(answers: readonly Answered[], options: PageOptions): string {
  const groups = new Map<string, { readonly answer: Answered; readonly hosts: string[] }>()
  for (const answer of answers) {
    const { host, ...said } = answer
    const key = JSON.stringify(said)
    const group = groups.get(key) ?? { answer, hosts: [] }
    group.hosts.push(host)
    groups.set(key, group)
  }
  const page = new Page(options)
  const rank = ({ answer }: { readonly answer: Answered }) => (answer.failure ? 2 : answer.status === 0 ? 0 : 1)
  const sorted = [...groups.values()].toSorted((a, b) => rank(a) - rank(b))
  for (const [i, { answer, hosts }] of sorted.entries()) {
    if (i > 0) page.line()
    page.prose(hosts.join(' '), 0, answer.failure || answer.status !== 0 ? page.paint.bad : page.paint.strong)
    answerOn(page, answer)
  }
  return page.text
}

function answerOn(page: Page, answer: Answered): void {
  const { bad, faint } = page.paint
  if (answer.failure) {
    page.line(`  ${bad('unreachable')}`)
    return failureOn(page, answer.failure, 2)
  }
  const { status, stdout, stderr } = answer
  for (const line of linesOf(stdout)) page.line(`  ${line}`)
  for (const line of linesOf(stderr)) page.line(`  ${faint(line)}`)
  if (status === undefined) page.line(`  ${bad('ended: it took too long')}`)
  else if (status !== 0) page.line(`  ${bad(`exit ${status}`)}`)
  else if (stdout + stderr === '') page.line(`  ${faint('exit 0, nothing was written')}`)
}

function linesOf(text: string): readonly string[] {
  if (text === '') return []
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => harmless(line, '\t'))
}
