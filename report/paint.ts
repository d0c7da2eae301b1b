/** The colours of a report: few, from the terminal's own sixteen, each with one meaning. */

import { Chalk, type ChalkInstance } from 'chalk'

export interface Paint {
  /** Names of sections and of what the eye should find first. */
  readonly strong: (text: string) => string
  /** What is there for whoever looks for it: places, labels, what is skipped. */
  readonly faint: (text: string) => string
  readonly good: (text: string) => string
  readonly changed: (text: string) => string
  readonly bad: (text: string) => string
  /** What a person should do, or know before. */
  readonly advice: (text: string) => string
}

export function paint(color: boolean): Paint {
  const chalk: ChalkInstance = new Chalk({ level: color ? 1 : 0 })
  return {
    strong: chalk.bold,
    faint: chalk.dim,
    good: chalk.green,
    changed: chalk.yellow,
    bad: chalk.red,
    advice: chalk.cyan,
  }
}
