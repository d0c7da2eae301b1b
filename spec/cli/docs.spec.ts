import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { modulePages } from '../../cli/module-pages.ts'
import { Task } from '../../dsl/task.ts'
import * as words from '../../index.ts'

const root = join(import.meta.dirname, '../..')
const folder = join(root, 'docs/modules')
const pages = modulePages(join(root, 'index.ts'))

describe('the reference of the modules', () => {
  it('is as the sources say; `npx play docs` makes it anew', () => {
    const written = new Map(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]))
    expect(written).toEqual(pages)
  })

  it('has a page for every module, with what it is for and an example', () => {
    const modules = [...pages].filter(([file]) => file !== 'README.md')
    expect(modules.length).toBeGreaterThan(10)
    for (const [file, text] of modules) {
      expect(words).toHaveProperty(file.replace('.md', ''))
      expect(text, file).toMatch(/## Example/)
    }
  })

  it('tells what may be said where a type is a name, or is told by another place', () => {
    const line = (page: string, start: string) =>
      (pages.get(page) ?? '').split('\n').filter((each) => each.startsWith(start))
    expect(line('opcache.md', '- `JitMode`')).toEqual([
      expect.stringMatching(/^- `JitMode` is `'tracing' \| 'function' \| 'off' \| 'disable' \| number`: /),
    ])
    expect(line('opcache.md', '- `Bytes`')).toEqual([
      expect.stringContaining("is `` number | `${number}${'B' | 'KiB' | 'MiB' | 'GiB'}` ``: "),
    ])
    expect(line('http.md', '- `protocol')).toEqual(["- `protocol?: 'HTTP/1.1' | 'HTTP/2'`"])
    expect(line('tcQdisc.md', '- `diffserv')).toEqual([
      expect.stringContaining("`diffserv?: 'besteffort' | 'precedence' | 'diffserv3' | 'diffserv4' | 'diffserv8'`"),
    ])
    expect([...pages].filter(([, text]) => /\(typeof \w+\)|\w\['\w+'\]`/.test(text)).map(([file]) => file)).toEqual([])
  })

  it('names every keyword of a task', () => {
    const keywords = ['named', 'when', 'notify', 'tags', 'become', 'retry', 'timeout', 'ignoreErrors', 'guardedBy']
    for (const keyword of keywords) {
      expect(Task.prototype).toHaveProperty(keyword)
      expect(pages.get('README.md')).toContain(`\`${keyword}\``)
    }
  })

  it('leaves no word of a chain without a sentence', () => {
    const silent = [...pages].flatMap(([file, text]) =>
      [...text.matchAll(/^## (\.\w+\(\))\n\n```ts\n.*\n```\n\n(?=## |$)/gm)].map(([, method]) => `${file} ${method}`),
    )
    expect(silent).toEqual([])
  })
})
