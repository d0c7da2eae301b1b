/** Scripts that move an account from one state to another, with one call of useradd, usermod or userdel. */

import { knownAfterApply } from '../dsl/known-after.ts'
import { type Script, sh } from '../shell/script.ts'
import { knownNameKey } from './owners.ts'
import type { UserState } from './user.ts'

/** What is not in the account itself, and counts when it is made or removed. */
export interface Making {
  /** An account of the system: a number below 1000, and no home is made. */
  readonly system?: boolean
  /** Its home goes with it. */
  readonly home?: boolean
}

export function moveUser(name: string, to: UserState | null, from: UserState | null, making: Making): Script {
  const names = [knownNameKey('passwd', name), knownNameKey('group', name)]
  if (to === null)
    return removeUser(name, from, making).touches(`group:${name}`, `group:${name}/*`, ...names, ...served(name, from))
  if (from === null)
    return addUser(name, to, making).touches(`group:${name}`, ...memberships(to), ...names, ...served(name, to))
  const isMoved = (['uid', 'group', 'home'] as const).some((field) => to[field] !== from[field])
  const reached = isMoved ? [...served(name, from), ...served(name, to)] : []
  return changeUser(name, to, from).touches(...memberships(from), ...memberships(to), ...reached)
}

/** useradd takes a group of the same name that is there already only where it is told to. */
function addUser(name: string, to: UserState, { system }: Making): Script {
  const own = to.group === name
  const options = [
    ...(system ? ['-r', '-M'] : ['-m']),
    ...(to.uid === knownAfterApply ? [] : ['-u', String(to.uid)]),
    ...(to.groups.length > 0 ? ['-G', to.groups.join(',')] : []),
    '-d',
    to.home,
    '-s',
    to.shell,
    '-c',
    to.comment,
  ]
  if (!own) return sh`useradd ${[...options, '-g', to.group]} -- ${name}`
  return sh`own=-U
while IFS=: read -r n _; do [ "$n" != ${name} ] || own=${`-g ${name}`}; done </etc/group
useradd $own ${options} -- ${name}`.called(`useradd ${name}`)
}

function changeUser(name: string, to: UserState, from: UserState): Script {
  const moves = (field: keyof UserState) => to[field] !== from[field]
  // A group that becomes the primary one was perhaps a supplementary one before, so the two are told together.
  const groups = moves('group') || to.groups.join() !== from.groups.join()
  const options = [
    ...(moves('uid') ? ['-u', String(to.uid)] : []),
    ...(moves('group') ? ['-g', to.group] : []),
    ...(groups ? ['-G', to.groups.join(',')] : []),
    ...(moves('home') ? ['-d', to.home] : []),
    ...(moves('shell') ? ['-s', to.shell] : []),
    ...(moves('comment') ? ['-c', to.comment] : []),
  ]
  return sh`usermod ${options} -- ${name}`
}

/** userdel -r fails where the home is gone already, though the account is removed. */
function removeUser(name: string, from: UserState | null, { home }: Making): Script {
  if (!home || !from) return sh`userdel -- ${name}`
  return sh`r=-r
[ -e ${from.home} ] || r=
userdel $r -- ${name}`.called(`userdel -r ${name}`)
}

function memberships({ group, groups }: UserState): readonly string[] {
  return [group, ...groups].map((name) => `group:${name}/*`)
}

/** What is read by way of the account. */
function served(name: string, state: UserState | null): readonly string[] {
  return [
    `authorized-keys:${name}`,
    `crontab:${name}`,
    ...(state ? [`file:${state.home}`, `file:${state.home}/*`] : []),
  ]
}
