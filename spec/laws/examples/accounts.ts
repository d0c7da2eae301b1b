import { authorizedKey, group, sh, user } from '../../../index.ts'
import { authorizedKeys } from '../../../modules/authorized-key.ts'
import { localGroup } from '../../../modules/group.ts'
import { account } from '../../../modules/user.ts'
import type { Example } from '../../../testing/example.ts'

const name = 'fp-law'
const first = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOuB3xXnTgpTAjrQUNOZ4FR4KTWqVvbWLg5S6Ze4cWpJ first'
const second = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL1CqYgWcJx7g0lu/H2SkFSHTHmT3oVhg1Txz0Z14MGe second'

const gone = sh`userdel -r fp-law 2>/dev/null
groupdel fp-law 2>/dev/null
groupdel fp-law-more 2>/dev/null
rm -rf /home/fp-law
groupadd fp-law-more`

const made = sh`${gone}
useradd -m -u 4400 -s /bin/sh -G games fp-law`

const state = {
  uid: 4400,
  group: name,
  groups: ['games'],
  home: `/home/${name}`,
  shell: '/bin/sh',
  comment: '',
}
const more = [localGroup('fp-law-more'), { gid: 4401 }] as const
const present = [account(name), state] as const
const values = () => [present, more, [localGroup(name), { gid: 4400 }]] as const

const keys = sh`${made}
mkdir -m 0700 /home/fp-law/.ssh
printf '# of others\n%s\n' ${`no-pty ${first}`} >/home/fp-law/.ssh/authorized_keys
chmod 0666 /home/fp-law/.ssh/authorized_keys
chown -R fp-law:fp-law /home/fp-law/.ssh`
const held = [
  authorizedKeys(name),
  { lines: ['# of others', `no-pty ${first}`], mode: '0666', directory: '0700' },
] as const

export const groupExamples: readonly Example[] = [
  { name: 'group, new', task: () => group(name), before: () => gone, proved: 'lab' },
  { name: 'group, new of the system', task: () => group(name).gid(440).system(), before: () => gone, proved: 'lab' },
  {
    name: 'group, other number',
    task: () => group('fp-law-more').gid(4402),
    values: () => [more],
    before: () => gone,
    proved: 'lab',
  },
  {
    name: 'group, absent',
    task: () => group('fp-law-more').absent(),
    values: () => [more],
    before: () => gone,
    proved: 'lab',
  },
]

export const userExamples: readonly Example[] = [
  {
    name: 'user, new',
    task: () => user(name).groups('fp-law-more', 'games').comment("It's $HOME").shell('/bin/bash'),
    values: () => [more],
    before: () => gone,
    proved: 'lab',
  },
  { name: 'user, new of the system', task: () => user(name).system(), before: () => gone, proved: 'lab' },
  {
    name: 'user, drifted',
    task: () => user(name).uid(4403).group('fp-law-more').onlyGroups(name).home('/srv/fp-law').shell('/bin/bash'),
    values,
    before: () => made,
    proved: 'lab',
  },
  {
    name: 'user, in one more group',
    task: () => user(name).groups('fp-law-more'),
    values,
    before: () => made,
    proved: 'lab',
  },
  { name: 'user, absent', task: () => user(name).absent(), values, before: () => made, proved: 'lab' },
  {
    name: 'user, absent with its home',
    task: () => user(name).absent({ home: true }),
    values,
    before: () => made,
    proved: 'lab',
  },
]

export const authorizedKeyExamples: readonly Example[] = [
  { name: 'authorizedKey, new', task: () => authorizedKey(name).add(first), values, before: () => made, proved: 'lab' },
  {
    name: 'authorizedKey, drifted',
    task: () => authorizedKey(name).add(first).add(second),
    values: () => [...values(), held],
    before: () => keys,
    proved: 'lab',
  },
  {
    name: 'authorizedKey, removed',
    task: () => authorizedKey(name).remove(first),
    values: () => [...values(), held],
    before: () => keys,
    proved: 'lab',
  },
  {
    name: 'authorizedKey, only',
    task: () => authorizedKey(name).only(second),
    values: () => [...values(), held],
    before: () => keys,
    proved: 'lab',
  },
]
