import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { packedPlugin, packedTheme } from '../../../modules/wordpress/packed-code.ts'
import { tarOf } from '../../../modules/wordpress/tar.ts'
import { unzipped } from '../../../modules/wordpress/zip.ts'

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../../fixtures/wordpress', name))
const names = (files: readonly { readonly path: string }[]) => files.map(({ path }) => path).toSorted()
const long = `assets/${'x'.repeat(110)}.txt`
const theme = ["assets/it's a name.css", 'assets/large.js', long, 'functions.php', 'index.php', 'style.css']

interface Made {
  readonly name: string | Buffer
  readonly text?: string
  readonly method?: number
  readonly size?: number
  readonly sum?: number
  readonly attributes?: number
  readonly localName?: string
}

/** An archive that no tool would make. */
function archive(entries: readonly Made[]): Buffer {
  const heads: Buffer[] = []
  const bodies: Buffer[] = []
  let at = 0
  for (const {
    name,
    text = '',
    method = 8,
    size = text.length,
    sum = crc32(text),
    attributes = 0,
    localName,
  } of entries) {
    const data = method === 8 ? deflateRawSync(text) : Buffer.from(text)
    const [bytes, local] = [Buffer.from(name), Buffer.from(localName ?? name)]
    const body = Buffer.alloc(30)
    body.writeUInt32LE(0x04034b50, 0)
    body.writeUInt16LE(local.length, 26)
    const head = Buffer.alloc(46)
    head.writeUInt32LE(0x02014b50, 0)
    head.writeUInt8(3, 5)
    head.writeUInt16LE(method, 10)
    head.writeUInt32LE(sum, 16)
    head.writeUInt32LE(data.length, 20)
    head.writeUInt32LE(size, 24)
    head.writeUInt16LE(bytes.length, 28)
    head.writeUInt32LE(attributes, 38)
    head.writeUInt32LE(at, 42)
    heads.push(head, bytes)
    bodies.push(body, local, data)
    at += 30 + local.length + data.length
  }
  const directory = Buffer.concat(heads)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...bodies, directory, end])
}

describe('an archive', () => {
  it('gives its files whole, stored and deflated', () => {
    const files = unzipped(fixture('law-theme.zip'))
    expect(names(files)).toEqual(theme.map((name) => `law-theme/${name}`))
    expect(Buffer.from(files.find(({ path }) => path.endsWith('large.js'))!.bytes).toString()).toBe('a'.repeat(3000))
    expect(
      unzipped(archive([{ name: 'a', text: 'stored', method: 0 }, { name: 'b' }])).map(({ bytes }) =>
        Buffer.from(bytes).toString(),
      ),
    ).toEqual(['stored', ''])
  })

  it.each<readonly [string, Buffer, string]>([
    [
      'leads out of its folder',
      archive([{ name: 'a/../../etc/passwd' }]),
      '"a/../../etc/passwd" leads out of its folder',
    ],
    ['has an absolute name', archive([{ name: '/etc/passwd' }]), '"/etc/passwd" is an absolute name'],
    ['has a name of Windows', archive([{ name: 'C:/a' }]), '"C:/a" is an absolute name'],
    ['has a backslash', archive([{ name: '..\\a' }]), '"..\\\\a" is no plain name'],
    ['has an empty part', archive([{ name: 'a//b' }]), '"a//b" is no plain name'],
    ['has a line end in a name', archive([{ name: 'a\nb' }]), '"a\\nb" is no plain name'],
    ['has a symbolic link', fixture('link.zip'), '"law-theme/link" is a symbolic link'],
    ['has a device', archive([{ name: 'a', attributes: 0o20666 * 65536 }]), '"a" is neither file nor directory'],
    ['is encrypted', fixture('encrypted.zip'), '"law-theme/style.css" is encrypted'],
    ['has a file twice', archive([{ name: 'a' }, { name: 'a' }]), 'it holds "a" twice'],
    ['has a file in a file', archive([{ name: 'a' }, { name: 'a/b' }]), '"a/b" is in something that is a file'],
    ['says another name in the entry', archive([{ name: 'a', localName: 'b' }]), '"a" is damaged'],
    ['has a wrong sum', archive([{ name: 'a', text: 'x', sum: 1 }]), '"a" is damaged'],
    ['unpacks to more than it says', archive([{ name: 'a', text: 'x'.repeat(10_000), size: 10 }]), '"a" is damaged'],
    [
      'would unpack to too much',
      archive([{ name: 'a', text: 'x', size: 64 * 1024 * 1024 + 1 }]),
      'it unpacks to 67108865 bytes, more than 67108864',
    ],
    [
      'is packed in an odd way',
      archive([{ name: 'a', method: 14 }]),
      '"a" is packed by method 14; stored and deflated are known',
    ],
    ['has a name that is not UTF-8', archive([{ name: Buffer.from([0xff]) }]), 'it has a name that is not UTF-8'],
    ['is none', Buffer.from('<html>404</html>'), 'it is no zip archive'],
    ['is cut off', fixture('law-theme.zip').subarray(0, 500), 'it is no zip archive'],
  ])('is refused where it %s', (_, bytes, reason) => {
    expect(() => unzipped(bytes)).toThrow(
      expect.objectContaining({ code: 'E_PLAY_INVALID', message: expect.stringContaining(reason) }),
    )
  })
})

describe('a theme', () => {
  it('is what its one folder holds, or the archive where there is none', () => {
    for (const name of ['law-theme.zip', 'no-top.zip'])
      expect(names(packedTheme(fixture(name)).files), name).toEqual(theme)
  })

  it('may be a child of another', () => {
    const style = '/*\r\nTheme Name: Child\r\n * Template: twentytwentythree */'
    expect(packedTheme(archive([{ name: 'c/style.css', text: style }])).parent).toBe('twentytwentythree')
    expect(packedTheme(fixture('law-theme.zip')).parent).toBeUndefined()
  })

  it('is not what macOS adds', () => {
    const style = { name: 't/style.css', text: 'Theme Name: T' }
    expect(
      names(packedTheme(archive([{ name: '__MACOSX/t/._style.css' }, style, { name: 't/.DS_Store' }])).files),
    ).toEqual(['style.css'])
  })

  it('is not the archive around it', () => {
    expect(() => packedTheme(fixture('outer.zip'))).toThrow(
      expect.objectContaining({
        message: 'it has no style.css that names a theme',
        hint: 'It holds law-theme.zip: unpack it, and name that one.',
      }),
    )
    expect(() => packedTheme(fixture('law-plugin.zip'))).toThrow('no style.css that names a theme')
  })
})

it('a plugin is known by the head of its main file', () => {
  expect(packedPlugin(fixture('law-plugin.zip'))).toMatchObject({ main: 'law-plugin.php' })
  expect(() => packedPlugin(fixture('law-theme.zip'))).toThrow('no PHP file that names a plugin')
  const two = ['a.php', 'b.php'].map((name) => ({ name: `p/${name}`, text: '<?php /* Plugin Name: P */' }))
  expect(() => packedPlugin(archive(two))).toThrow('it has several plugins: a.php, b.php')
})

describe('a tar archive', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fleetplay-tar-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each(['tar', 'busybox tar'])('is unpacked by %s', (command) => {
    const { files } = packedTheme(fixture('law-theme.zip'))
    const to = mkdtempSync(join(folder, 'to-'))
    writeFileSync(join(folder, 'a.tar'), tarOf(files))
    execFileSync('sh', ['-c', `${command} -xmf a.tar -C "$0"`, to], { cwd: folder })
    for (const { path, bytes } of files) expect(readFileSync(join(to, path)).equals(bytes), path).toBe(true)
  })
})
