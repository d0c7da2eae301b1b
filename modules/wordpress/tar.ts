/** Files as a tar archive, for the `tar` that every host has. */

import type { PackedFile } from './zip.ts'

const block = 512

/** An archive of files, 0644 and of root; folders are made by the names. A name of more than 100 bytes has an entry of its own, as GNU tar and busybox know it. */
export function tarOf(files: readonly PackedFile[]): Uint8Array {
  const parts = files.flatMap(({ path, bytes }) => {
    const name = Buffer.from(path)
    const long =
      name.length > 100 ? entry(Buffer.from('././@LongLink'), 'L', Buffer.concat([name, Buffer.alloc(1)])) : []
    return [...long, ...entry(name.subarray(0, 100), '0', bytes)]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * block)])
}

function entry(name: Buffer, type: string, bytes: Uint8Array): readonly Uint8Array[] {
  const head = Buffer.alloc(block)
  name.copy(head, 0)
  const octal = (value: number, at: number, length: number) =>
    head.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  octal(0o644, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(bytes.length, 124, 12)
  octal(0, 136, 12)
  head.write(`        ${type}`, 148, 'latin1')
  head.write('ustar  \0', 257, 'latin1')
  const sum = head.reduce((total, byte) => total + byte, 0)
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return [head, bytes, Buffer.alloc((block - (bytes.length % block)) % block)]
}
