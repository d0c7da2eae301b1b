/** The command line as a user starts it, its connections led through a relay. */

import { type ChildProcess, fork, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Event } from '../../engine/events.ts'
import type { Machine } from './machine.ts'
import type { Relay } from './relay.ts'

const root = join(import.meta.dirname, '../..')

/** A host of the fleet, and the folder that runs are started in. */
export interface Target {
  readonly machine: Machine
  readonly groups: readonly string[]
  readonly folder: string
}

export interface Ended {
  /** Undefined where it was killed. */
  readonly status: number | undefined
  readonly stdout: string
  readonly events: readonly Event[]
  /** Tasks and reactions that changed something or failed, and what was said beside the events. */
  readonly told: readonly string[]
  readonly seconds: number
}

const play = join(root, 'plays/coaching-fleet.ts')
const inventory = join(import.meta.dirname, 'inventory.ts')

/** The command line for the whole fleet's play; the observations take seconds and change nothing. */
const words = ['run', play, '-i', inventory, '--skip-tags', 'watch', '--output', 'json']

function environment({ machine, groups }: Target): Readonly<Record<string, string>> {
  return { FAULTS_HOST: [machine.name, machine.host.address, ...groups].join(' ') }
}

/** Starts the play in a process of its own, led through a relay. */
export function start(target: Target, relay: Relay): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const began = performance.now()
  const child = spawn(process.execPath, [join(root, 'cli/play.js'), ...words, '--limit', target.machine.name], {
    cwd: target.folder,
    env: {
      ...process.env,
      ...environment(target),
      NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'divert.js')).href}`,
      FAULTS_DIVERT: `${target.machine.host.address}:22 ${relay.port}`,
    },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()))
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  const ended = once(child, 'close').then(([status]) =>
    endedWith((status as number | null) ?? undefined, stdout, stderr, began),
  )
  return { child, ended }
}

/** The same command line in a process that stands already: a start costs more than a run that changes nothing. */
export class Standing {
  readonly #target: Target
  readonly #child: ChildProcess

  constructor(target: Target) {
    this.#target = target
    const env = { ...process.env, ...environment(target) }
    this.#child = fork(join(root, 'spec/cli/standing-play.js'), { env, execArgv: [] })
  }

  async run(...options: readonly string[]): Promise<Ended> {
    return await this.say([...words, '--limit', this.#target.machine.name, ...options])
  }

  /** On the hosts that the last run has left. */
  async runLeft(...options: readonly string[]): Promise<Ended> {
    return await this.say([...words, '--only', 'failed,unreached', ...options])
  }

  async resume(id: string, ...options: readonly string[]): Promise<Ended> {
    return await this.say(['resume', id, '--output', 'json', ...options])
  }

  async say(args: readonly string[]): Promise<Ended> {
    const began = performance.now()
    this.#child.send({ args, cwd: this.#target.folder, env: {} })
    // It tells its output as it grows, and its status at the end.
    for await (const [message] of on(this.#child, 'message')) {
      const { status, stdout, stderr } = message as { status?: number; stdout: string; stderr: string }
      if (status !== undefined) return endedWith(status, stdout, stderr, began)
    }
    throw new Error(`play ${args.join(' ')} gave no status`)
  }

  end(): void {
    this.#child.disconnect()
  }
}

function endedWith(status: number | undefined, stdout: string, stderr: string, began: number): Ended {
  const events = eventsOf(stdout)
  return { status, stdout, events, told: told(events, stderr), seconds: (performance.now() - began) / 1000 }
}

/** A process that was killed may have left the last line unfinished. */
function eventsOf(stdout: string): readonly Event[] {
  return stdout
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Event] : []))
}

function told(events: readonly Event[], stderr: string): readonly string[] {
  const lines = events.flatMap((event) => {
    const why = 'failure' in event && event.failure ? `: ${event.failure.message}` : ''
    if (event.type === 'task' && (event.outcome === 'changed' || event.outcome === 'failed'))
      return [`${event.task.title} ${event.outcome}${why}`]
    if (event.type === 'reaction') return [`${event.handler} ${event.outcome}${why}`]
    return event.type === 'unreachable' ? [`unreachable${why}`] : []
  })
  return [...lines, ...stderr.split('\n').filter(Boolean)]
}
