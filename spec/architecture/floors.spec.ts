import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** What each folder may import from, beside itself. Types only where it says so. */
const floors: Readonly<Record<string, readonly string[]>> = {
  shell: [],
  errors: [],
  probe: ['shell', 'errors'],
  connection: ['probe (types)', 'shell', 'errors'],
  dsl: ['probe', 'shell', 'errors'],
  modules: ['dsl', 'probe', 'shell', 'errors'],
  engine: ['dsl', 'probe', 'connection', 'shell', 'errors'],
  report: ['engine (types)', 'dsl (types)', 'errors (types)'],
  testing: ['engine', 'dsl', 'probe', 'shell', 'errors'],
  cli: ['report', 'engine', 'dsl', 'probe', 'connection', 'shell', 'errors'],
}

/** In these nothing waits, and nothing reads a file, a clock, the environment or a random number. */
const pure = ['shell', 'probe', 'dsl', 'modules']
const impure = [
  /\basync\b/,
  /\bawait\b/,
  /\bPromise\b/,
  /\bDate\b/,
  /\bMath\.random\b/,
  /(?<!')\bprocess\b\./, // not the name of a setting: 'process.priority'
  /\bperformance\b/,
  /^(?!import \{ isIP[\w, ]* \}).*from 'node:(fs|child_process|net|os|timers|http)/m,
]

const sources = Object.keys(floors).flatMap((floor) =>
  readdirSync(join(root, floor), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ floor, file: join(floor, file), text: readFileSync(join(root, floor, file), 'utf8') })),
)

const imports = sources.flatMap(({ floor, file, text }) =>
  [
    ...text.matchAll(
      /^(?:import|export)\b([^'";=(]*?)\bfrom '(\.[^']+)'|^import '(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm,
    ),
  ].map(([, words = '', path, bare, lazy]) => {
    const target = relative(root, normalize(join(root, dirname(file), (path ?? bare ?? lazy)!)))
    return {
      floor,
      file,
      target,
      to: target.split('/')[0]!,
      typesOnly: /^\s*type\b/.test(words),
      lazy: lazy !== undefined,
    }
  }),
)

it('sees the house', () => {
  expect(sources.length).toBeGreaterThan(50)
  expect(imports.length).toBeGreaterThan(150)
  for (const floor of Object.keys(floors))
    expect(
      sources.some((source) => source.floor === floor),
      floor,
    ).toBe(true)
})

it('has every folder import from its own floor or those below it', () => {
  const wrong = imports.filter(
    ({ floor, to, typesOnly }) =>
      to !== floor && !floors[floor]!.includes(to) && !(typesOnly && floors[floor]!.includes(`${to} (types)`)),
  )
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([])
})

it('has no module family import another', () => {
  const family = (path: string) => path.split('/').slice(1, -1).join('/')
  const wrong = imports.filter(
    ({ floor, file, target }) =>
      floor === 'modules' && target.startsWith('modules/') && family(target) !== '' && family(target) !== family(file),
  )
  expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([])
})

it('has nobody inside come in by the door for guests', () => {
  const doors = ['index.ts', 'authoring.ts', 'places.ts', 'testing/index.ts', 'testing/vitest.ts']
  expect(
    imports.filter(({ target }) => doors.includes(target)).map(({ file, target }) => `${file} imports ${target}`),
  ).toEqual([])
})

it('keeps values pure', () => {
  const wrong = sources
    .filter(({ floor }) => pure.includes(floor))
    .flatMap(({ file, text }) => {
      const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '').replace(/sh`[^`]*`/g, '')
      return impure.flatMap((pattern) => (pattern.test(code) ? [`${file} has ${pattern}`] : []))
    })
  expect(wrong).toEqual([])
})

it('lets one file alone know ssh2', () => {
  const knowing = sources.filter(({ text }) => /(from|import\() ?'ssh2'/.test(text)).map(({ file }) => file)
  expect(knowing.filter((file) => !file.startsWith('connection/ssh'))).toEqual([])
  expect(knowing.length).toBeGreaterThan(0)
})

it('loads the compiler in the two commands that need it, when they are called', () => {
  const knowing = sources.filter(({ text }) => /(from|import\() ?'ts-morph'/.test(text)).map(({ file }) => file)
  expect(knowing.toSorted()).toEqual(['cli/module-pages.ts', 'cli/source-check.ts'])
  const eager = imports.filter(({ target, lazy, typesOnly }) => knowing.includes(target) && !lazy && !typesOnly)
  expect(eager.map(({ file }) => file)).toEqual([])
})

it('loads ssh2 when the first connection needs it', () => {
  const eager = sources.filter(({ text }) => /^import (?!type\b)[^\n]*from 'ssh2'/m.test(text)).map(({ file }) => file)
  expect(eager).toEqual([])
})
