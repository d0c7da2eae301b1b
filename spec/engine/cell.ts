/** A task and a place that do nothing but hold a text: what the engine's specs are played with. */

import { type Resource, want } from '../../dsl/resource.ts'
import { type Reading, Task, type Verdict } from '../../dsl/task.ts'
import { Probe } from '../../probe/probe.ts'
import { sh } from '../../shell/script.ts'

export interface CellOptions {
  /** Keys that its write disturbs; undefined for anything. */
  readonly touches?: readonly string[] | undefined
  readonly judge?: (reading: Reading) => readonly Verdict[]
  readonly unprovable?: boolean
}

export function cell(name: string, touches?: readonly string[], unprovable = false): Resource<string | null> {
  return {
    key: `cell:${name}`,
    read: Probe.script(sh`cat -- ${name}`, ({ stdout }) => stdout.toString()),
    write: (to) => {
      const script = sh`printf %s ${to ?? ''} >${name}`
      return touches ? script.touches(...touches) : script
    },
    fresh: null,
    ...(unprovable && { unprovable }),
  }
}

export class Fill extends Task {
  readonly module = 'fill'
  readonly id: string
  readonly value: string
  readonly options: CellOptions

  constructor(id: string, value: string, options: CellOptions = {}) {
    super()
    this.id = id
    this.value = value
    this.options = { touches: [], ...options }
  }

  get wishes() {
    return [want(cell(this.id, this.options.touches, this.options.unprovable), this.value)]
  }

  override judge(reading: Reading) {
    return this.options.judge?.(reading) ?? []
  }
}

/** Wishes that a cell holds a text. */
export function fill(id: string, value: string, options?: CellOptions): Fill {
  return new Fill(id, value, options)
}
