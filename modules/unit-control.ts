/** Shell that moves units and says, in systemd's own words, why one did not move. */

import { configTest, type Guard } from '../dsl/guard.ts'
import { lines, type Script, sh } from '../shell/script.ts'
import type { UnitState } from './unit.ts'

/**
 * Functions for scripts that move units.
 *
 * - `look UNIT` sets `id active sub result type remain stale reloaded`, and for the whole script `began`, its time. systemd 252 does not see a drop-in in a folder that is
 *   new to it, and says «no need to reload»: so drop-ins are compared with those that it holds.
 * - `current UNIT` looks, and has systemd read its files again where it holds old ones of the unit.
 * - `forgive UNIT` forgets a failure that `look` saw, or systemd refuses it («Start request repeated too quickly»).
 * - `fresh UNIT` does both.
 * - `go VERB UNIT` does it; a unit that was well, and was started too often, is forgiven and tried once more.
 * - `settle UNIT` holds where the unit stays up. `Type=simple` is «started» as soon as there is a process, so those are given a moment.
 * - `words UNIT` ends the script with what the unit has said in the journal since the script began, without the lines of systemd
 *   itself where it has said something, and what systemctl said. They are found by time: of a process that ended at once, the
 *   journal does not know to which invocation its last words belonged; and where systemd starts the unit again by itself
 *   (`Restart=always`), it tells the time of that start.
 */
export const control: Script = sh`began=
look() {
  [ -n "$began" ] || began=$(date +%s)
  id= active= sub= result= type= remain= stale= reloaded= drops=
  while IFS='=' read -r k v; do
    case $k in
      InvocationID) id=$v ;; ActiveState) active=$v ;; SubState) sub=$v ;; Result) result=$v ;; Type) type=$v ;;
      RemainAfterExit) remain=$v ;; NeedDaemonReload) stale=$v ;; ReloadResult) reloaded=$v ;;
      DropInPaths) drops=$v ;;
    esac
  done <<END
$(systemctl show --property=InvocationID,ActiveState,SubState,Result,Type,RemainAfterExit,NeedDaemonReload,ReloadResult,DropInPaths -- "$1")
END
  for f in "/etc/systemd/system/$1.d"/*.conf; do
    [ ! -s "$f" ] || case " $drops " in *" $f "*) ;; *) stale=yes ;; esac
  done
}
current() {
  look "$1"
  [ "$stale" != yes ] || systemctl daemon-reload
}
forgive() {
  [ "$active" != failed ] || systemctl reset-failed -- "$1"
}
fresh() {
  current "$1" && forgive "$1"
}
go() {
  said=$(systemctl "$1" -- "$2" 2>&1) && return
  look "$2"
  [ "$result" = start-limit-hit ] || return 1
  systemctl reset-failed -- "$2"
  said=$(systemctl "$1" -- "$2" 2>&1)
}
settle() {
  look "$1"
  begun=$id
  case $type in simple | exec | idle) sleep 0.5; look "$1" ;; esac
  case $type$remain$active in oneshotnoinactive) [ "$result" = success ] && return ;; esac
  said="$1 was started, but is $active a moment later ($sub, $result)."
  case $active in active | reloading | refreshing) ;; *) return 1 ;; esac
  said="$1 fell when it was started, and systemd starts it again and again ($result)."
  [ "$id" = "$begun" ]
}
words() {
  journalctl --sync 2>/dev/null
  lines=$(journalctl --quiet --no-pager --output=cat --lines=60 --unit="$1" --since="@$began" 2>/dev/null)
  own=$(printf '%s\n' "$lines" | while IFS= read -r l; do
    case $l in "$1: "* | 'Starting '* | 'Started '* | 'Stopping '* | 'Stopped '* | 'Failed to start '*) ;; *) printf '%s\n' "$l" ;; esac
  done)
  [ -n "$own" ] || own=$lines
  [ -z "$own" ] || printf '%s\n' "$own" | tail -n 8 >&2
  printf '%s\n' "$said" | grep -v -e '^Created symlink ' -e '^See "' -e '^Synchronizing state ' -e '^Executing: ' >&2
  exit 1
}`

/** The test that a unit which is started at boot is up now too: what a task wrote for one that is not must not stay. */
export function upTest(name: string): Guard {
  return configTest(
    `start of ${name}`,
    sh`${control}
systemctl --quiet is-enabled -- ${name} || exit 0
settle ${name} && exit
printf '%s\n' "$said" >&2
exit 1`,
  )
}

/** Moves a unit between two states, with one systemctl where that can be. A unit that is not there counts as disabled and inactive. */
export function moveUnit(name: string, to: UnitState | null, from: UnitState | null): Script {
  const was: UnitState = from ?? { enabled: 'disabled', active: false }
  const will: UnitState = to ?? { enabled: was.enabled === 'enabled' ? 'disabled' : was.enabled, active: false }
  const starts = will.active && !was.active
  const stops = was.active && !will.active
  const verb = will.enabled === was.enabled ? undefined : installs[will.enabled]
  const unmask = was.enabled === 'masked' && to?.enabled !== 'masked' ? [systemctl(['unmask'], name)] : []
  if (starts && verb === 'enable') return lines(...unmask, control, enableAndStart(name))
  const install = verb ? [systemctl([verb, ...(stops ? ['--now'] : [])], name)] : []
  const stop = stops && !verb ? [systemctl(['stop'], name)] : []
  return lines(...unmask, ...install, ...stop, ...(starts ? [control, start(name)] : []))
}

const installs: Readonly<Record<string, 'enable' | 'disable' | 'mask'>> = {
  enabled: 'enable',
  disabled: 'disable',
  // Nothing can be said of it, but a link of when it could be enabled would still start it at boot.
  static: 'disable',
  masked: 'mask',
}

function systemctl(words: readonly string[], name: string): Script {
  return sh`systemctl ${words} -- ${name} || exit`.called(`systemctl ${words.join(' ')} ${name}`)
}

/** Enabling makes systemd read its files again by itself. */
function enableAndStart(name: string): Script {
  return sh`look ${name}
forgive ${name}
said=$(systemctl enable --now -- ${name} 2>&1) || {
  systemctl --quiet is-enabled -- ${name} || { printf '%s\n' "$said" >&2; exit 1; }
  go start ${name} || words ${name}
}
settle ${name} || words ${name}`.called(`systemctl enable --now ${name}`)
}

function start(name: string): Script {
  return sh`fresh ${name} || exit
go start ${name} || words ${name}
settle ${name} || words ${name}`.called(`systemctl start ${name}`)
}
