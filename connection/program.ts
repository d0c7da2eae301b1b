/** The program that runs on the host: it takes frames on standard input, runs them, and answers on standard output. */

import { quote } from '../shell/quote.ts'
import type { Lock } from './connection.ts'
import { lockText } from './lock.ts'

export interface ProgramOptions {
  /** What shows that the program is there; random, so that nothing printed before can look like it. */
  readonly marker: string
  /** The name of its directory on the host; random too. */
  readonly directory: string
  readonly greet?: string | undefined
  /** Seconds that the greet script may take. */
  readonly deadline: number
  readonly lock?: Pick<Lock, 'holder' | 'wait'> | undefined
}

/**
 * The command line that starts the program. It is one line without `!`, backslash-quote pairs or a newline, so that a
 * login shell that is no POSIX shell (fish, csh) hands it on unharmed: the text travels in the escapes of `printf %b`.
 * The program is an argument and never read from standard input: until the marker was seen, not a byte is sent to
 * whatever answers there (a password prompt of sudo, a menu, a router).
 */
export function programCommand(options: ProgramOptions): string {
  return `exec sh -c 'eval "$(printf %b "$1")"' fleetplay '${escape(programText(options))}'`
}

/** The program as sh text: for dash, bash (in either mode) and busybox ash. */
function programText({ marker, directory, greet, deadline, lock }: ProgramOptions): string {
  // The marker is printed from two halves: a host that only echoes the command line does not greet.
  const half = marker.length >> 1
  const hello = `printf '\\n%s%s\\n' ${quote(marker.slice(0, half))} ${quote(marker.slice(half))} >&4 || exit`
  const greeting =
    greet === undefined
      ? ''
      : `printf '%s\\n' ${quote(greet)} >script || fail "cannot write in $dir"\nanswer 0 ${deadline}\n`
  return `${setUp(directory)}${hello}\n${lock ? strip(lockText(lock)) : ''}${greeting}${loop}`
}

/** How long a group may go on after SIGTERM before it gets SIGKILL. */
export const graceSeconds = 2

/** Larger bodies are taken in several blocks, so that `dd` never needs more memory than this. */
const block = 1024 * 1024

/*
 * What a frame costs the host, counted with strace under dash, bash and busybox alike: five processes for a script that
 * writes nothing (dd, the watchdog, its sleep, the script, rm), one more for an input, one to measure outputs and one for
 * each output that is not empty, one where the script used its directory. What is removed is removed after the answer.
 *
 * Descriptors: 3 the requests, 4 the answers, 5 a fifo from the watchdog to the loop, 6 the lock. No script inherits them;
 * and nothing that may outlive the loop inherits the lock, which is held for as long as any process has it.
 *
 * The directory must be on a parent that nobody else can rename it in: one of our own, or a sticky one. (`su` keeps
 * XDG_RUNTIME_DIR of the user before; root can write there, and so can that user.)
 *
 * Scripts run in `/`: it exists for everybody, whereas the directory that sudo starts in is the home of the user
 * before, which the new user often may not even enter; and nothing is kept from being unmounted.
 */
const setUp = (directory: string): string =>
  strip(`
    umask 022
    for each in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
      case ":$PATH:" in *":$each:"*) ;; *) PATH=\${PATH:+$PATH:}$each ;; esac
    done
    LC_ALL=C
    export PATH LC_ALL FLEETPLAY_TMP
    exec 3<&0 4>&1 </dev/null >/dev/null
    fail() { echo "fleetplay: $1" >&2; exit 70; }
    [ -r /proc/self/stat ] || fail '/proc is not mounted'
    # Whom a number stands for: when that process started, in ticks since the machine did; nothing where it is dead.
    born() {
      born=
      { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
      set -- \${stat##*) }
      [ "$1" != Z ] || return
      shift 19
      born=$1
    }
    # What a session left that was killed. A script of it that still runs needs it, and its watchdog removes it then.
    sweep() {
      for old in "$1"/fleetplay.*; do
        [ -O "$old" ] && [ ! -L "$old" ] && { read -r pid time <"$old/loop"; } 2>/dev/null || continue
        born "$pid"
        [ "$born" != "$time" ] || continue
        born=
        { read -r pid <"$old/pid"; } 2>/dev/null && born "$pid"
        [ "$born" ] || rm -rf "$old"
      done
    }
    dir=
    for base in "\${XDG_RUNTIME_DIR-}" /run /dev/shm "\${TMPDIR:-/tmp}" /tmp; do
      case $base in /*) ;; *) continue ;; esac
      [ -w "$base" ] && [ -x "$base" ] && { [ -O "$base" ] || [ -k "$base" ]; } || continue
      sweep "$base"
      dir=$base/fleetplay.${directory}
      mkdir -m 700 "$dir" "$dir/tmp" 2>/dev/null && mkfifo "$dir/fifo" 2>/dev/null && born $$ && echo "$$ $born" >"$dir/loop" && break
      rm -rf "$dir"
      dir=
    done
    [ "$dir" ] || fail 'no directory to write in: tried $XDG_RUNTIME_DIR, /run, /dev/shm, $TMPDIR and /tmp'
    FLEETPLAY_TMP=$dir/tmp
    cd "$dir" || fail "cannot enter $dir"
    trap 'cd /; rm -rf "$dir"' EXIT
    trap 'exit 1' HUP INT TERM PIPE
    exec 5<>fifo
    group=
    command -v setsid >/dev/null 2>&1 && group=setsid

    take() {
      { { [ "$1" -lt ${block} ] || dd bs=${block} count=$(($1 / ${block})) iflag=fullblock; } &&
        { [ $(($1 % ${block})) -eq 0 ] || dd bs=$(($1 % ${block})) count=1 iflag=fullblock; }
      } <&3 >"$2" 2>log 4>&- 5>&- 6>&- || { cat log >&2; df -P . >&2; fail "could not take $1 bytes into $dir"; }
    }

    # The watchdog sleeps in a child, whose number it tells by the fifo: reading it there, the loop cannot be too early
    # to end the sleep. Where the loop itself was killed, the watchdog ends the script at its deadline all the same, and
    # cleans up. The script runs in the foreground, since a shell makes background jobs deaf to SIGINT and SIGQUIT,
    # and so would be every daemon that a script starts. Not being a group leader, setsid does not fork.
    answer() {
      from=/dev/null
      [ -s in ] && from=in
      (
        exec 3<&- 4>&- 6>&- 2>/dev/null
        sleep "$2" 5>&- &
        echo $! >&5
        exec 5>&-
        wait $! || exit
        echo >late
        while ! read -r pid <pid && [ -d "$dir" ]; do sleep 1; done
        # Once the loop is dead, nobody keeps the number of the script from being given to another process.
        if kill -0 $$ || grep -q "$dir" "/proc/$pid/environ"; then
          pid=\${group:+-}$pid
          kill -TERM "$pid"
          # A group is asked after in two ways, since dash needs the dashes and busybox does not know them.
          tenths=0
          while [ $tenths -lt ${graceSeconds * 10} ] && { kill -s 0 -- "$pid" || kill -0 "$pid"; }; do
            sleep 0.1 || sleep 1
            tenths=$((tenths + 1))
          done
          kill -KILL "$pid"
        fi
        kill -0 $$ || rm -rf "$dir"
      ) &
      dog=$!
      { (
        exec <"$from" >out 2>err 3<&- 4>&- 5>&- 6>&-
        read -r pid rest </proc/self/stat
        echo "$pid" >pid || exit
        cd /
        exec $group sh "$dir/script"
      ); } 2>/dev/null
      status=$? late=0
      read -r nap <&5
      if [ -e late ]; then late=1; else kill -KILL "$nap"; fi 2>/dev/null
      wait $dog 2>/dev/null
      [ -s pid ] || fail "could not start a script in $dir"
      id=$1
      set -- 0 0 0
      if [ -s out ] || [ -s err ]; then set -- $(wc -c out err); fi
      echo "$id $status $late $1 $3" >&4 || exit
      [ "$1" -eq 0 ] || head -c "$1" out >&4 6>&- || exit
      [ "$3" -eq 0 ] || head -c "$3" err >&4 6>&- || exit
      set -- script in out err pid late
      [ -r tmp ] && [ -w tmp ] && [ -x tmp ] || set -- "$@" tmp
      for each in tmp/* tmp/.[!.]* tmp/..?*; do
        if [ -e "$each" ] || [ -L "$each" ]; then set -- "$@" tmp; break; fi
      done
      rm -rf "$@" || { chmod -R u+rwx tmp; rm -rf "$@"; }
      [ -d tmp ] || mkdir -m 700 tmp
    }
  `)

/** A frame ends with a line of its own: where the link broke in the middle of a script, the part of it never runs. */
const loop = strip(`
  while read -r id script input deadline <&3; do
    take "$script" script
    [ "$input" -eq 0 ] || take "$input" in
    read -r go <&3 && [ "$go" = "go $id" ] || exit
    answer "$id" "$deadline"
  done
`)

/** Without indentation, comments and empty lines: the text is an argument, and stands in the log of sudo. */
function strip(text: string): string {
  return text.replaceAll(/^\s+/gm, '').replaceAll(/^#.*\n/gm, '')
}

/** Octal escapes of `printf %b` for what some shell reads within single quotes. */
function escape(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line no-control-regex -- control characters are what must not stand there
    /[\u0000-\u001f'\\!]/g,
    (character) => `\\0${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  )
}
