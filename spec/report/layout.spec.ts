import { describe, expect, it } from 'vitest'
import { clip, harmless, names, shortPath, told, width, wrap } from '../../report/layout.ts'

describe('columns', () => {
  it('are counted as a terminal shows them', () => {
    expect(width('abc')).toBe(3)
    expect(width('日本')).toBe(4)
    expect(width('e\u0301')).toBe(1)
    expect(clip('日本語', 5)).toBe('日本…')
    expect(clip('abcdef', 4)).toBe('abc…')
    expect(clip('abc', 3)).toBe('abc')
  })

  it('break between words, and in words that are too long', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three'])
    expect(wrap('a bcdefghij k', 4)).toEqual(['a', 'bcde', 'fghi', 'j k'])
    expect(wrap('日本語', 4)).toEqual(['日本', '語'])
    expect(wrap('', 4)).toEqual([''])
  })

  it('keep the first names and how many there are', () => {
    const all = ['web1', 'web2', 'web3', 'web4']
    expect(names(all, 19)).toBe('web1 web2 web3 web4')
    expect(names(all, 18)).toBe('web1 … 4 hosts')
    expect(names(all, 20)).toBe('web1 web2 web3 web4')
    expect(names(['a-very-long-name', 'b'], 4)).toBe('a-very-long-name b')
  })
})

describe('what a host says', () => {
  it('cannot move the cursor, colour, or turn the direction of writing', () => {
    expect(harmless('\u001b[2J\u0007\r\n\t\u009b1m\u202eabc\u2028')).toBe(
      '\\e[2J\\x07\\r\\n\\t\\x9b1m\\u{202e}abc\\u{2028}',
    )
    expect(harmless('a\tb\n', '\t')).toBe('a\tb\\n')
    expect(harmless('größe → ✓ 日本')).toBe('größe → ✓ 日本')
  })
})

describe('paths', () => {
  it('are relative below the folder, and whole elsewhere', () => {
    expect(told({ file: '/project/plays/web.ts', line: 3 }, '/project')).toBe('plays/web.ts:3')
    expect(shortPath('/other/web.ts', '/project')).toBe('/other/web.ts')
  })
})
