/** Passwords on a real host: which process, log, file, diff or event gets to see one. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shape } from '../../dsl/shape.ts'
import type { Task } from '../../dsl/task.ts'
import type { Event } from '../../engine/events.ts'
import { fleet } from '../../engine/fleet.ts'
import { RemoteHost } from '../../engine/remote-host.ts'
import { connectSsh } from '../../connection/ssh.ts'
import { sshResolver } from '../../connection/ssh-config.ts'
import {
  command,
  file,
  haproxyConfig,
  haproxyFrontend,
  line,
  mysqlHistogram,
  phpSession,
  redisConfig,
  redisKeys,
  secret,
  sh,
  systemdService,
  wpConfig,
} from '../../index.ts'
import { jsonLine } from '../../report/json.ts'
import { resolveSecret } from '../../shell/secret.ts'
import { accounts, type Lab, labHosts } from './hosts.ts'

/** One word, in nothing else on the host; each place has an ending of its own, to be told apart. */
const word = 'korrektepferdbatterie'
/** One that a play names. */
const named = secret.env('SECRETS_LAB_SPEC')
resolveSecret(named, `${word}'s "$(id)"`)
const name = 'secrets1'

let lab: Lab<typeof name>

beforeAll(async () => {
  lab = await labHosts('bookworm', [name], { memory: '768M' })
  await on(prepare)
})
afterAll(async () => {
  await lab?.close()
})

async function resolved() {
  const { address } = lab.hosts[name]
  const login = { name, host: address, user: accounts.deploy.user, privateKey: lab.key, knownHosts: lab.knownHosts }
  return await sshResolver().resolve(login)
}

async function on(command: string): Promise<string> {
  const { status, stdout, stderr } = await lab.hosts[name].ssh('sh -s', { input: command })
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}${stdout}`)
  return stdout.trim()
}

/** What somebody left on the host, and one who looks at the arguments of all processes as often as he can. */
const prepare = `set -e
umask 077
printf '%s\\n' '${word}redis' >/root/.redis-password
printf '[client]\\nuser = fleet\\npassword = %s\\n' '${word}mysql' >/root/fleet.cnf
printf '[client]\\nuser = old\\npassword = %s\\n' '${word}file' >/root/old.cnf
umask 022
mkdir -p /srv/www
printf "<?php\\ndefine('DB_PASSWORD', '%s');\\ndefine('AUTH_KEY', '%s');\\nrequire 'wp-settings.php';\\n" '${word}wp' '${word}salt' >/srv/www/wp-config.php
chmod 0640 /srv/www/wp-config.php
printf 'session.save_path = "tcp://127.0.0.1:6379?auth=%s"\\n' '${word}session' >/etc/php/8.2/fpm/conf.d/99-session.ini
printf 'userlist a\\n  user b insecure-password %s\\nlisten s\\n  bind :8404\\n  mode http\\n  stats auth admin:%s\\n' '${word}list' '${word}stats' >>/etc/haproxy/haproxy.cfg
systemctl start redis-server mariadb
printf '%s' "create schema shop; create table shop.bookings (id int primary key, note varchar(20)); insert into shop.bookings values (1, 'a'), (2, 'b');
create user fleet@localhost identified by '${word}mysql'; grant all on *.* to fleet@localhost" | mariadb
printf 'ACL SETUSER fleet on >%s allkeys allcommands allchannels\\nCONFIG SET requirepass %s\\n' '${word}redis' '${word}default' | redis-cli >/dev/null
printf 'requirepass %s\\n' '${word}default' >>/etc/redis/redis.conf
cat >/root/look <<'LOOK'
#!/bin/sh
end=$(($(date +%s) + 150))
while [ ! -e /root/enough ] && [ "$(date +%s)" -lt "$end" ]; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; echo; done >/root/seen
LOOK
chmod +x /root/look
systemd-run -q --unit=look /root/look
`

const tasks: readonly Task[] = [
  redisConfig({ maxmemory: '64mb' }).user('fleet').passwordFile('/root/.redis-password'),
  redisKeys('secured').user('fleet').passwordFile('/root/.redis-password').string('smtp:password', `${word}key`),
  mysqlHistogram('bookings').on('note').buckets(10).in('shop').defaultsFile('/root/fleet.cnf'),
  wpConfig('/srv/www/wp-config.php').define('DISABLE_WP_CRON', true),
  wpConfig('/srv/www/wp-config.php').define('SMTP_PASSWORD', named),
  file('/root/app.key').content(named),
  file('/root/app.cnf').content(secret.text`[client]\npassword = ${named}\n`),
  command('log in', sh`tr a-z A-Z >/root/logged-in; sleep 1`.reading(named)).creates('/root/logged-in'),
  phpSession('8.2').redis(),
  haproxyConfig().frontend(haproxyFrontend('http').bind('8080').directives('http-request return status 200')),
  line('/root/old.cnf').present('user = new', { matching: /^user/ }),
  file('/root/new.cnf').content(`[client]\npassword = ${word}new\n`).mode('0600'),
  systemdService('fleet-worker').runs(['/bin/sh', '-c', 'sleep 60']).environmentFile('/root/worker.env'),
]

async function run(check: boolean): Promise<readonly Event[]> {
  const events: Event[] = []
  await fleet({
    plays: shape({ groups: {} })
      .play('secrets')
      .hosts('all')
      .become()
      .tasks([file('/root/worker.env').content(`DB_PASSWORD=${word}env\n`).mode('0600'), ...tasks]),
    hosts: [{ name, address: name, groups: [], carrier: 'ssh', ssh: {}, become: 'sudo', vars: {} }],
    limit: undefined,
    tags: [],
    skipTags: [],
    forks: 1,
    check,
    connect: () =>
      new RemoteHost(name, async () => connectSsh(await resolved()), {
        become: 'sudo',
        becomePassword: accounts.deploy.password,
      }),
    emit: (event) => events.push(event),
    stopping: () => false,
  })
  return events
}

describe('a password', () => {
  let told = ''

  it('is used: what needs one is done, and stays', async () => {
    const runs = [await run(true), await run(false), await run(false)]
    const outcomes = runs.map((events) =>
      events.flatMap((event) => (event.type === 'task' ? [event.failure?.message ?? event.outcome] : [])),
    )
    told = runs.flatMap((events) => events.map((event) => jsonLine(event, 1))).join('')
    expect(outcomes).toEqual([
      outcomes[0]!.map(() => 'changed'),
      outcomes[0]!.map(() => 'changed'),
      outcomes[0]!.map(() => 'ok'),
    ])
    expect(await on('REDISCLI_AUTH=$(cat /root/.redis-password) redis-cli --user fleet GET smtp:password')).toBe(
      `${word}key`,
    )
    expect(await on('cat /root/app.key')).toBe(`${word}'s "$(id)"`)
    expect(await on('cat /root/app.cnf')).toBe(`[client]\npassword = ${word}'s "$(id)"`)
    expect(await on('cat /root/logged-in')).toBe(`${word}'s "$(id)"`.toUpperCase())
    expect(await on("tr '\\0' '\\n' </proc/$(systemctl show -P MainPID fleet-worker)/environ | grep DB_")).toBe(
      `DB_PASSWORD=${word}env`,
    )
  })

  it('is in no event, diff or error of three runs, of which one only planned', () => {
    expect(told).toContain('password = (secret)')
    expect(told).not.toContain(word)
    expect(told).not.toContain(accounts.deploy.password)
  })

  it('is in no argument of a process that somebody saw on the host', async () => {
    await on('touch /root/enough; sleep 1')
    // He saw the clients, so he would have seen it.
    expect(await on("grep -ac 'perl -e' /root/seen")).not.toBe('0')
    expect(await on("grep -ac -e '--defaults-extra-file=/root/fleet.cnf' /root/seen")).not.toBe('0')
    expect(await on(`grep -aoE '.{0,80}(${word}|${accounts.deploy.password}).{0,80}' /root/seen || true`)).toBe('')
  })

  it('is in no log, and in no file but those that hold it', async () => {
    expect(await on(`journalctl -o cat --no-pager | grep -cE '${word}|${accounts.deploy.password}' || true`)).toBe('0')
    const files = await on(
      `grep -rlaE --exclude-dir=mysql '${word}|${accounts.deploy.password}' /etc /root /run /srv /tmp /var 2>/dev/null | sort || true`,
    )
    expect(files.split('\n')).toEqual([
      '/etc/redis/redis.conf',
      '/root/.redis-password',
      '/root/app.cnf',
      '/root/app.key',
      '/root/fleet.cnf',
      '/root/new.cnf',
      '/root/old.cnf',
      '/root/worker.env',
      '/srv/www/wp-config.php',
    ])
    expect(
      await on("stat -c '%a' /root/new.cnf /root/worker.env /root/old.cnf /root/app.key /root/app.cnf | sort -u"),
    ).toBe('600')
  })
})
