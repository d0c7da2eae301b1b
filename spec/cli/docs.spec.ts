import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { modulePages } from '../../cli/module-pages.ts'
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

  it('leaves no word of a chain without a sentence', () => {
    const silent = [...pages].flatMap(([file, text]) =>
      [...text.matchAll(/^## (\.\w+\(\))\n\n```ts\n.*\n```\n\n(?=## |$)/gm)].map(([, method]) => `${file} ${method}`),
    )
    expect(silent).toEqual([])
  })
})
