/** Where a host keeps what was replaced and cannot leave it: contents that are large or secret, for undo. */

import { sh } from '../shell/script.ts'
import { stateFolder } from './state-folder.ts'

/** Seconds that something is kept. */
const age = 30 * 24 * 3600
/** Bytes that are kept in all; what was kept first goes first. */
const budget = 1024 ** 3

/** Sets `$kept`, which need not exist. */
export const keptFolder = sh`${stateFolder}
kept=$state/kept`

/** Sets `$kept` and makes it, for its owner alone. */
export const makeKeptFolder = sh`${keptFolder}
[ -d "$kept" ] || (umask 077; mkdir -p -- "$kept") || exit`

/**
 * Lets go of what is too old, or more than there is room for: one that is larger than that costs no other its room. What is
 * linked there has the time of its link as its ctime.
 */
export const forgetKept = sh`now=$(date +%s) left=${budget}
stat -c '%Z %s %n' -- "$kept"/* 2>/dev/null | sort -rn | while read -r at size each; do
  if [ $((now - at)) -lt ${age} ] && [ "$size" -le $left ]; then left=$((left - size)); else rm -f -- "$each"; fi
done`
