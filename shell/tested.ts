/** A test, and the scripts that put things back where it fails, as one script: nobody must come back for it. */

import { quote } from './quote.ts'
import { Script, sh } from './script.ts'

/** How the script ends where there is more to say than that the test failed; else it ends as the test did. */
export const testEnds = {
  /** All was put back, and the test fails without it too. */
  failsWithout: 101,
  /** Something could not be put back. */
  notPutBack: 102,
} as const

/**
 * Runs a test. Where it fails, all of `back` is run in order, each with its own standard input; what the test said is on
 * standard error.
 */
export function testedOrUndone(test: Script, back: readonly Script[]): Script {
  const { steps, input } = inTurn(back)
  const run = `(eval ${quote(test.text)}\n) 3<&- </dev/null`
  const { failsWithout, notPutBack } = testEnds
  const text = [
    'exec 3<&0 </dev/null',
    `said=$( ${run} 2>&1) && exit 0`,
    'status=$?',
    ...steps,
    `printf '%s\\n' "$said" >&2`,
    `[ -z "$left" ] || exit ${notPutBack}`,
    `${run} >/dev/null 2>&1 || exit ${failsWithout}`,
    `case $status in ${failsWithout} | ${notPutBack}) status=1 ;; esac`,
    'exit $status',
  ].join('\n')
  return sh`${Script.of(text)}`.reading(input).called(test.brief)
}

/**
 * Lines that run all scripts in order, each with its own standard input, which stand one after the other in `input` and are
 * read from descriptor 3. `$left` is not empty then where one failed; the others were run all the same.
 */
export function inTurn(scripts: readonly Script[]): { readonly steps: readonly string[]; readonly input: Uint8Array } {
  const inputs = scripts.map(({ input }) => Buffer.from(input ?? ''))
  const steps = scripts.map(({ text }, i) => {
    const { length } = inputs[i]!
    // One block of exactly this size: what is left unread is not read by the next.
    const take = length > 0 ? `dd bs=${length} count=1 iflag=fullblock <&3 2>/dev/null | ` : ''
    return `${take}(eval ${quote(text)}\n) 3<&- >&2 || left=yes`
  })
  return { steps: ['left=', ...steps], input: Buffer.concat(inputs) }
}
