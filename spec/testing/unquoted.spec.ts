import { expect, it } from 'vitest'
import { unquoted } from '../../testing/unquoted.ts'

it.each([
  ['rm -f x', true],
  ["rm -f 'x'", false],
  ["rm -f 'it'\\''s; x'", false],
  ["rm -f 'it's; x'", true],
  ['rm -f "x"', true],
  [`echo "it's" x 'y'`, true],
  [`echo "it's $(cat 'x') there"`, false],
  [`echo "it's $(cat "x") there"`, true],
  [`echo "$(cat 'a') 'x'"`, true],
  ['echo \\x', false],
  ['echo y # x', false],
  ['echo y#x', true],
  ["# it's\nx", true],
  [": # it's\necho 'x'", false],
  ["cat <<'END'\nx\nEND\ny", false],
  ['cat <<END\nx\nEND\ny', true],
  ["cat <<'END'\ny\nEND\nx", true],
  ["cat <<END 'a'\nit's\nEND\necho 'x'", false],
  ["case $a in b) echo 'x' ;; esac", false],
  ['case $a in b) echo x ;; esac', true],
])('%j: %s', (script, isSeen) => {
  expect(unquoted(script).includes('x')).toBe(isSeen)
})
