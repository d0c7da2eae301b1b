import { expect, it } from 'vitest'
import { lines, sh } from '../../shell/script.ts'

it('quotes a hole as one word, a list as several, and splices a script', () => {
  expect(sh`rm -f -- ${'a b'} ${['c d', 5]} ${7}; ${sh`echo ${'$x'}`}`.text).toBe("rm -f -- 'a b' 'c d' 5 7; echo '$x'")
  expect(sh`${[]}`.text).toBe('')
})

it('takes its own text as it is written', () => {
  expect(sh`printf '\n\0%s\\' "$x"`.text).toBe(String.raw`printf '\n\0%s\\' "$x"`)
})

it('is a value: input and touched places are said on copies', () => {
  const script = sh`cat`
  expect([script.input, script.touched]).toEqual([undefined, undefined])
  const fed = script.reading('x').touches('unit:*').touches('file:/a')
  expect([fed.text, fed.input, fed.touched]).toEqual(['cat', 'x', ['unit:*', 'file:/a']])
  expect(script.touches().touched).toEqual([])
})

it('touches together what its lines touch, and anything where one does not say', () => {
  expect(lines(sh`a`.touches('x:1'), sh`b`.touches()).touched).toEqual(['x:1'])
  expect(lines(sh`a`.touches('x:1'), sh`b`).touched).toBeUndefined()
  expect(lines(sh`a`, sh`b`).text).toBe('a\nb')
})

it('keeps the standard input of what it is made of, and refuses two', () => {
  const fed = sh`cat >x`.reading(Buffer.from('abc'))
  expect(lines(sh`true`, fed, sh`true`).input).toEqual(Buffer.from('abc'))
  expect(sh`cd /; ${fed}`.input).toEqual(Buffer.from('abc'))
  expect(lines(sh`a`, sh`b`.reading('')).input).toBe('')
  expect(() => lines(fed, fed)).toThrow(RangeError)
  expect(() => sh`${fed}; ${fed}`).toThrow(RangeError)
})

it('is called by what it runs, on copies and in what is made of it', () => {
  const script = sh`f() { go; }; f`.called('systemctl restart nginx.service')
  expect(script.words).toBe('systemctl restart nginx.service')
  expect(script.reading('x').touches('unit:*').words).toBe(script.words)
  expect(lines(sh`true`, script, script).words).toBe(script.words)
  expect(lines(sh`a`.called('one'), sh`b`, sh`c`.called('two')).words).toBe('one; two')
  expect(lines(sh`a`, sh`b`).words).toBeUndefined()
  expect([
    script.brief,
    sh`
  a
b`.brief,
    sh``.brief,
  ]).toEqual([script.words, '  a', ''])
})
