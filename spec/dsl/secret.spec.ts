/** A secret is a value that cannot become a text by mistake: told by the compiler (`npm run types`), and at run time. */

import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Origin } from '../../dsl/origin.ts'
import { type Secret, secret } from '../../dsl/secret.ts'
import { Failure } from '../../errors/failure.ts'
import { sh } from '../../shell/script.ts'
import { declareSecret, isSecret, resolveSecret, reveal, unresolvedSecrets } from '../../shell/secret.ts'

const password = secret.env('DB_PASSWORD')

describe('a secret', () => {
  it('is no text: not in a template, with +, in a script, in JSON, in a log', () => {
    // oxlint-disable typescript/restrict-template-expressions -- the compiler refuses it too
    // @ts-expect-error a symbol in a template literal
    expect(() => `requirepass ${password}`).toThrow(TypeError)
    // oxlint-enable typescript/restrict-template-expressions
    // @ts-expect-error a symbol with +
    expect(() => 'requirepass ' + password).toThrow(TypeError)
    // @ts-expect-error no hole of a script
    expect(() => sh`redis-cli -a ${password}`).toThrow('sh`…`.reading(secret)')
    // @ts-expect-error nor in a list
    expect(() => sh`redis-cli ${['-a', password]}`).toThrow("secret.env('DB_PASSWORD')")
    // @ts-expect-error not assignable to a text
    const text: string = password
    expect(JSON.stringify({ text, list: [password] })).toBe('{"list":[null]}')
    expect([String(password), inspect({ password })]).toEqual([
      "Symbol(secret.env('DB_PASSWORD'))",
      "{ password: Symbol(secret.env('DB_PASSWORD')) }",
    ])
  })

  it('is no other symbol', () => {
    // @ts-expect-error without the brand
    const other: Secret = Symbol('password')
    expect([isSecret(password), isSecret(other), isSecret('password')]).toEqual([true, false, false])
    expect(() => reveal(other)).toThrow('no secret of this copy')
    expect(() => secret.text`a ${other}`).toThrow(Failure)
  })

  it('said twice is one, so that equal wishes are equal', () => {
    expect(secret.env('DB_PASSWORD')).toBe(password)
    expect(secret.text`a ${password}`).toBe(secret.text`a ${password}`)
    expect(secret.text`a ${password}`).not.toBe(secret.text`b ${password}`)
    expect(secret.file('./a.age')).toBe(secret.file('a.age'))
    expect(secret.command(['op', 'read', 'x'])).not.toBe(secret.command(['op', 'read x']))
  })

  it('has a harmless stand-in until it is resolved, another for another', () => {
    expect(reveal(secret.env('STAND_IN'))).toMatch(/^standin[0-9a-f]{16}$/)
    expect(reveal(secret.env('STAND_IN'))).toBe(reveal(secret.env('STAND_IN')))
    expect(reveal(secret.env('OTHER'))).not.toBe(reveal(secret.env('STAND_IN')))
  })

  it('in a text has its value there when it is resolved, and not before', () => {
    const part = secret.env('PART')
    const text = secret.text`user ${'wp'}:${part}\nport ${6379}\n`
    const whole = secret.text`<${text}>`
    expect(reveal(whole)).toMatch(/^<user wp:standin[0-9a-f]+\nport 6379\n>$/)
    resolveSecret(part, 'seven league boots')
    expect(reveal(whole)).toBe('<user wp:seven league boots\nport 6379\n>')
    expect(unresolvedSecrets().map(({ name }) => name)).not.toContain("secret.env('PART')")
  })

  it('reaches a script by its standard input, as it is when that is sent', () => {
    const token = secret.env('TOKEN')
    const script = sh`docker login --password-stdin`.reading(token).touches('unit:*').called('docker login')
    expect(script.input).toMatch(/^standin/)
    resolveSecret(token, 'seven league boots')
    expect(sh`cd /; ${script}`.input).toBe('seven league boots')
    expect(JSON.stringify(script)).not.toContain('seven')
  })

  it.each<[string, () => Secret, RegExp]>([
    ['an empty name', () => secret.env(''), /no name of an environment variable/],
    ['a name with a value in it', () => secret.env('A=b'), /no name of an environment variable/],
    ['no path', () => secret.file(''), /path is empty/],
    ['no program', () => secret.command(['']), /no command/],
    // @ts-expect-error a command line is no list of words
    ['a command line', () => secret.command('op read x'), /no command|map/],
    ['a text without a secret', () => secret.text`hunter2hunter2`, /no secret in it/],
  ])('that is %s is refused', (_, make, message) => {
    expect(make).toThrow(message)
  })

  it('knows where it was said first', () => {
    const [said, place] = [secret.env('SAID_HERE'), Origin.here().place]
    const declared = unresolvedSecrets().find((each) => each.secret === said)
    expect(declared?.said.place).toMatchObject({ file: import.meta.filename, line: place!.line })
    expect(declareSecret({ kind: 'env', variable: 'SAID_HERE' }, 'x', { place: undefined })).toBe(said)
  })
})
