/** What all modules show of themselves, and the modules that plays can call. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Task } from '../../dsl/task.ts'
import type { Example } from '../../testing/example.ts'

const folder = join(import.meta.dirname, 'examples')

/** Every example of every file in `examples/`. */
export const examples: readonly Example[] = (
  await Promise.all(
    readdirSync(folder)
      .filter((name) => name.endsWith('.ts'))
      .toSorted()
      .map(async (name) => {
        const shown = Object.values((await import(join(folder, name))) as Record<string, unknown>)
        const lists = shown.filter(isExamples)
        if (lists.length === 0) throw new Error(`spec/laws/examples/${name} exports no list of examples`)
        return lists.flat()
      }),
  )
).flat()

/** Names that the door for plays has from `modules/`, but for those that make handlers. */
export function publicModules(): readonly string[] {
  const door = readFileSync(join(import.meta.dirname, '../../index.ts'), 'utf8')
  return [...door.matchAll(/^export \{([^}]*)\} from '\.\/modules\//gm)]
    .flatMap(([, names = '']) => names.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type ') && !handlers.has(name) && !withoutChange.has(name))
}

/** What is public beside the modules: reactions, which are no tasks and have no place of their own. */
export const handlers: ReadonlySet<string> = new Set(['reload', 'restart'])

/** What is public and has nothing to change: configuration tests, parts that a task is made of, and observations. */
const withoutChange: ReadonlySet<string> = new Set([
  'cpuSteal',
  'haproxyBackend',
  'haproxyFrontend',
  'haproxyTest',
  'http',
  'mysqlPlan',
  'nginxTest',
  'perfProfile',
  'qdiscStats',
  'redisLatency',
  'sshdTest',
  'sudoersTest',
  'udpDrops',
])

/** What a play calls the modules of which an example is made. */
export function moduleOf(example: Example): string {
  return example.task('/srv/example').module
}

function isExamples(value: unknown): value is readonly Example[] {
  return Array.isArray(value) && value.length > 0 && value.every((entry) => isExample(entry as Partial<Example>))
}

function isExample({ name, task }: Partial<Example>): boolean {
  return typeof name === 'string' && task?.('/srv/example') instanceof Task
}
