/** The live part of a report, on a terminal: drawn by log-update, at most some ten times a second. */

import type { Event } from '../engine/events.ts'
import { Live } from '../report/live.ts'
import { wantsColor } from './terminal.ts'

export interface Display {
  add(event: Event): void
  /** A first Ctrl-C came. */
  stopping(): void
  close(): void
}

/** Milliseconds between two drawings. */
const interval = 80
/** As many hosts as keep their lines when all is done. */
const keptLines = 12

export async function openDisplay(): Promise<Display> {
  const { default: logUpdate } = await import('log-update')
  const live = new Live()
  let asked = false
  let closed = false
  let drawn = 0
  const timer = setInterval(draw, interval)

  function draw(): void {
    const { columns, rows } = process.stdout
    const lines = live.lines({
      color: wantsColor(process.env, true),
      width: columns || 80,
      rows: (rows || 24) - 1,
      now: performance.now(),
    })
    const told = asked ? ['', '  Finishing the tasks in hand; Ctrl-C again stops now.'] : []
    const frame = ['', ...lines, ...told]
    // log-update 7 writes over the lines below where a frame grows in its middle: such a frame is drawn anew.
    if (frame.length !== drawn) logUpdate.clear()
    drawn = frame.length
    logUpdate(frame.join('\n'))
  }

  return {
    add: (event) => live.add(event, performance.now()),
    stopping: () => {
      asked = true
      draw()
    },
    close: () => {
      if (closed) return
      closed = true
      clearInterval(timer)
      asked = false
      draw()
      if (live.size > keptLines) logUpdate.clear()
      logUpdate.done()
    },
  }
}
