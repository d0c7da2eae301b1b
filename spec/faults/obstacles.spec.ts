/** Hosts that are full, read-only, forbid execution, lose their time, have another key, or hang: what comes of a run, and what is told. */

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TaskList } from '../../dsl/task.ts'
import { command, file, restart, service, sh } from '../../index.ts'
import { runOn } from '../lab/run-on.ts'
import { Machine } from './machine.ts'

let machine: Machine
beforeAll(async () => {
  machine = await Machine.boot('fault-odd')
})
afterAll(async () => await machine?.close())

const run = async (tasks: TaskList) => await runOn(machine.lab, machine.host, tasks)
const on = async (script: string) => await machine.on(script)

/** What a session or a write has left anywhere. */
const left = `find /etc /srv -xdev -name '.fleetplay.*'; for d in /run/fleetplay.* /dev/shm/fleetplay.* /tmp/fleetplay.*; do [ ! -e "$d" ] || echo "$d"; done`

describe('a folder', () => {
  it('that is full keeps the old file whole, says what the host said, and gets the new one when there is room', async () => {
    await on(
      'mkdir -p /srv/full && mount -t tmpfs -o size=64k none /srv/full && echo old >/srv/full/page && chmod 640 /srv/full/page',
    )
    const tasks = [
      file('/srv/full/page')
        .content(`${'new\n'.repeat(40_000)}`)
        .mode('0600'),
    ]
    const { outcomes, failures } = await run(tasks)
    expect(outcomes).toEqual(['failed'])
    expect(failures[0]!.message).toContain('No space left on device')
    expect(await on(`cat /srv/full/page; stat -c '%a' /srv/full/page; ls -A /srv/full`)).toBe('old\n640\npage')
    await on('mount -o remount,size=1m /srv/full')
    expect((await run(tasks)).outcomes).toEqual(['changed'])
    expect(await on(`sha256sum </srv/full/page; ls -A /srv/full; umount /srv/full; ${left}`)).toBe(
      `${await on(`yes new | head -n 40000 | sha256sum`)}\npage`,
    )
  })

  it('that cannot be written keeps what it has, and the tasks before are done', async () => {
    await on(
      'mkdir -p /srv/ro && mount -t tmpfs -o size=64k none /srv/ro && echo old >/srv/ro/page && mount -o remount,ro /srv/ro',
    )
    const { outcomes, failures } = await run([
      file('/srv/before').content('yes\n'),
      file('/srv/ro/page').content('new\n'),
    ])
    expect(outcomes).toEqual(['changed', 'failed'])
    expect(failures[0]!.message).toContain('Read-only file system')
    expect(await on(`cat /srv/before /srv/ro/page; umount /srv/ro; ${left}`)).toBe('yes\nold')
  })
})

describe('a host', () => {
  it('whose /run is full is served from elsewhere, where its lock was there already', async () => {
    await run([])
    await on('cat /dev/zero >/run/filler 2>/dev/null; true')
    expect((await run([file('/srv/run-full').content('done\n')])).outcomes).toEqual(['changed'])
    expect(await on(`cat /srv/run-full; ${left}`)).toBe('done')
  })

  it('whose /run has no room for the lock is refused, which is told, and nothing is done until there is room', async () => {
    const tasks = [file('/srv/unlocked').content('done\n')]
    await on('rm -rf /run/fleetplay; cat /dev/zero >>/run/filler 2>/dev/null; true')
    const { outcomes, failures } = await run(tasks)
    expect(await on('ls /srv/unlocked 2>/dev/null; rm /run/filler')).toBe('')
    expect(outcomes).not.toContain('changed')
    expect(failures).toMatchObject([{ code: 'E_LOCKED', message: expect.stringContaining('/run/fleetplay') as string }])
    expect((await run(tasks)).outcomes).toEqual(['changed'])
    expect(await on(`cat /srv/unlocked; ${left}`)).toBe('done')
  })

  it('that lets nothing be executed from where things may be written is served all the same', async () => {
    await on(
      'mount -o remount,noexec /run; mount -o remount,noexec /dev/shm; mountpoint -q /tmp || mount -t tmpfs none /tmp; mount -o remount,noexec /tmp',
    )
    await on('cp /bin/true /run/true; ! /run/true 2>/dev/null')
    const { outcomes, failures } = await run([
      file('/srv/noexec').content('done\n').notify(restart('cron')),
      command('ran', sh`echo ran >/srv/ran`).creates('/srv/ran'),
    ])
    expect([outcomes, failures]).toEqual([['changed', 'changed'], []])
    expect(
      await on(
        `cat /srv/noexec /srv/ran; rm /run/true; mount -o remount,exec /run; mount -o remount,exec /dev/shm; ${left}`,
      ),
    ).toBe('done\nran')
  })

  it.each(['+1 year', '-1 day'])(
    'whose clock jumps in the middle of a run (%s) is done with, its reactions included',
    async (jump) => {
      const name = jump.replaceAll(/\W/g, '')
      const id = async () => await on('systemctl show -P InvocationID cron')
      const before = await id()
      const { outcomes, failures, reactions } = await run([
        file(`/srv/before${name}`).content('1\n').notify(restart('cron')),
        command('jump', sh`date -s "$(date -d ${jump})" && echo >${`/srv/jumped${name}`}`)
          .creates(`/srv/jumped${name}`)
          .timeout('20s'),
        service('cron').started(),
        file(`/srv/after${name}`).content('2\n'),
      ])
      expect(failures).toEqual([])
      expect(outcomes).toEqual(['changed', 'changed', 'ok', 'changed'])
      expect(reactions).toMatchObject([{ handler: 'restart cron', outcome: 'done' }])
      expect(await id()).not.toBe(before)
      expect(
        await on(
          `cat /srv/before${name} /srv/after${name}; date -s "@${Math.round(Date.now() / 1000)}" >/dev/null; ${left}`,
        ),
      ).toBe('1\n2')
      expect((await run([file(`/srv/before${name}`).content('1\n')])).outcomes).toEqual(['ok'])
    },
  )

  it('that has another key is refused, with the remedy, and nothing is done', async () => {
    await on(
      'cp -a /etc/ssh /root/ssh && rm /etc/ssh/ssh_host_*; ssh-keygen -qt ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key && ssh-keygen -qt ecdsa -N "" -f /etc/ssh/ssh_host_ecdsa_key && ssh-keygen -qt rsa -N "" -f /etc/ssh/ssh_host_rsa_key && systemctl restart ssh',
    )
    const { outcomes, failures } = await run([file('/srv/refused').content('never\n')])
    // The standing connection is older than the keys.
    expect(await on('ls /srv/refused 2>/dev/null; cp -a /root/ssh/. /etc/ssh/ && systemctl restart ssh')).toBe('')
    expect(outcomes).toEqual([])
    expect(failures).toMatchObject([{ code: 'E_HOST_KEY_CHANGED' }])
    expect(failures[0]!.hint).toContain('ssh-keygen -R')
    expect((await run([file('/srv/refused').content('now\n')])).outcomes).toEqual(['changed'])
  })

  it('whose script is stopped has it ended at its deadline, which is told', async () => {
    const began = performance.now()
    const tasks = [command('hang', sh`kill -STOP $$; sleep 1`).creates('/srv/never').timeout('3s')]
    const { outcomes, failures } = await run(tasks)
    expect(outcomes).toEqual(['failed'])
    expect(failures).toMatchObject([{ code: 'E_DEADLINE', message: 'It took longer than 3 s, and was ended.' }])
    expect((performance.now() - began) / 1000).toBeLessThan(20)
    expect(await on(left)).toBe('')
  })

  it('whose connection hangs is given up when nothing was heard of it for 25 s, which is told, and is served again when it is back', async () => {
    const began = performance.now()
    const hanging = run([command('late', sh`echo >/run/begun; sleep 2; echo >/srv/late`).creates('/srv/late')])
    await on('n=0; until [ -e /run/begun ] || [ $n -gt 200 ]; do sleep 0.1; n=$((n + 1)); done')
    // The parent of the program is the connection's own process.
    const pid = await on(`for p in /proc/[0-9]*; do
      case $(tr '\\0' ' ' <"$p/cmdline" 2>/dev/null) in 'sh -c eval '*) awk '{ print $4 }' "$p/stat" ;; esac
    done | head -n 1`)
    await on(`kill -STOP ${pid}`)
    const { outcomes, failures } = await hanging
    const seconds = (performance.now() - began) / 1000
    await on(`kill -CONT ${pid}`)
    expect(outcomes).toEqual(['skipped'])
    expect(failures[0]).toMatchObject({ code: 'E_CONNECTION_LOST' })
    expect(failures[0]!.message).toMatch(/has not been heard of for \d+ s/)
    expect(seconds).toBeLessThan(60)
    await sleep(2000)
    // It was done meanwhile, though nobody was told.
    expect((await run([command('late', sh`true`).creates('/srv/late')])).outcomes).toEqual(['ok'])
    expect(await on(left)).toBe('')
  })
})
