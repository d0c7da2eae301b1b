/** What systemd says of a unit's files before it is told to read them: what it would refuse, or leave out with a line in its log. */

import { configTest, type Guard } from '../../dsl/guard.ts'
import { sh } from '../../shell/script.ts'

/**
 * The test of a file of a unit by `systemd-analyze verify`, which ends with 0 for a value that systemd would ignore. What counts is
 * what systemd would leave out of this file, and why it would refuse the unit. A program that is not there yet is no mistake of
 * a file, nor is a unit of which there is nothing but a drop-in. The first that is said comes last, where readers look.
 *
 * @see systemd-analyze(1)
 */
export function unitTest(unit: string, path: string): Guard {
  return configTest(
    `systemd-analyze verify ${unit}`,
    sh`command -v systemd-analyze >/dev/null || exit 0
u=${unit} p=${path}
said=$(systemd-analyze verify --man=no -- "$u" 2>&1)
refused=
case $said in *"$u: "*' Refusing.'* | *"$u: Unit configuration has fatal error"*) refused=yes ;; esac
said=$(printf '%s\n' "$said" | while IFS= read -r l; do
  case $refused$l in
    "$p:"*gnoring* | "yes$p:"* | "yes$u: "*' Refusing.') printf '%s\n' "$l" ;;
  esac
done | uniq)
[ -n "$said" ] || exit 0
printf '%s\n' "$said" | sed '1!G; h; $!d' >&2
exit 1`,
  )
}
