/** Every place of every module that takes a text: tasks made from one that a stranger chose. */

import * as words from '../../index.ts'
import type { Task } from '../../dsl/task.ts'

type Make = (text: string) => readonly (() => Task)[]

const php = () =>
  words
    .nginxEarlyHints('site')
    .serverName('a.example')
    .tls({ certificate: '/etc/ssl/cert.pem', key: '/etc/ssl/key.pem' })
    .root('/srv')
    .fastcgi('/run/php.sock')
const haproxyBehind = (backend: ReturnType<ReturnType<typeof words.haproxyBackend>['server']>) =>
  words.haproxyConfig().frontend(words.haproxyFrontend('law').bind('80').defaultBackend('law')).backend(backend)
const key = 'AAAAC3NzaC1lZDI1NTE5AAAAIOuB3xXnTgpTAjrQUNOZ4FR4KTWqVvbWLg5S6Ze4cWpJ'

/** By the names that a play calls them. */
export const hostileTasks: Readonly<Record<string, Make>> = {
  aptPackage: (text) => [
    () => words.aptPackage(text),
    () => words.aptPackage('nginx').version(text),
    () => words.aptPackage(text).purged(),
  ],
  authorizedKey: (text) => [
    () => words.authorizedKey(text).add(`ssh-ed25519 ${key}`),
    () => words.authorizedKey('daemon').add(`ssh-ed25519 ${key} ${text}`),
    () => words.authorizedKey('daemon').only(`${text} ssh-ed25519 ${key}`),
    () => words.authorizedKey('daemon').remove(text),
  ],
  block: (text) => [
    () => words.block(`/etc/${text}`, 'law').content('x', { create: true }),
    () => words.block('/etc/law', text).content('x', { create: true }),
    () => words.block('/etc/law', 'law').content(text, { create: true, after: text }),
  ],
  command: (text) => [
    () => words.command(text, words.sh`true`).creates('/law'),
    () => words.command('law', words.sh`true`).creates(`/${text}`),
    () =>
      words
        .command('law', words.sh`: ${text.replaceAll('\0', '')}`)
        .in(`/${text}`)
        .unless(words.sh`true`),
  ],
  cron: (text) => [
    () => words.cron(text).schedule('@daily').runs('true'),
    () => words.cron('law').schedule(text).runs('true'),
    () => words.cron('law').schedule('@daily').runs(text),
    () => words.cron('law').schedule('@daily').as(text).runs('true'),
    () => words.cron('law').as('www-data').inCrontab().schedule('@daily').runs(text),
    () => words.cron('law').schedule('@daily').env({ LAW: text }).runs('true'),
    () =>
      words
        .cron('law')
        .schedule('@daily')
        .env({ [text]: 'x' })
        .runs('true'),
  ],
  directory: (text) => [
    () => words.directory(`/srv/${text}/a`).owner(text),
    () => words.directory(`/srv/${text}`).absent({ recursive: true }),
  ],
  file: (text) => [
    () => words.file(`/srv/${text}`).content(text).owner(text, text),
    () => words.file(`/srv/${text}/a`).absent(),
  ],
  group: (text) => [() => words.group(text), () => words.group(text).absent()],
  haproxyConfig: (text) => [
    () => words.haproxyConfig().frontend(words.haproxyFrontend(text).bind('80').defaultBackend(text)),
    () =>
      words
        .haproxyConfig()
        .frontend(words.haproxyFrontend('law').bind(text as never, { certificate: `/etc/${text}` }))
        .frontend(words.haproxyFrontend('two').bind('81').directives(`redirect location /${text}`)),
    () =>
      words
        .haproxyConfig()
        .frontend(words.haproxyFrontend('law').bind('80').preload(`/${text}`, { as: 'style' }).defaultBackend('b'))
        .backend(words.haproxyBackend('b').server('a', 'a:1')),
    () => haproxyBehind(words.haproxyBackend('law').server(text, '10.0.3.11:80')),
    () => haproxyBehind(words.haproxyBackend('law').server('a', `${text}:80`)),
    () => haproxyBehind(words.haproxyBackend('law').server('a', `unix@/run/${text}`)),
    () =>
      haproxyBehind(
        words.haproxyBackend('law').server('a', 'a:1', { tls: { authorities: `/etc/${text}`, name: text } }),
      ),
    () => haproxyBehind(words.haproxyBackend('law').healthCheck(`/${text}`, { host: text }).server('a', 'a:1')),
    () => haproxyBehind(words.haproxyBackend('law').server('a', 'a:1', { check: { every: text as never } })),
    () => haproxyBehind(words.haproxyBackend('law').server('a', 'a:1').directives(text)),
    () =>
      words
        .haproxyConfig()
        .global({ directives: text })
        .defaults({ directives: text, timeout: { client: text as never } })
        .frontend(words.haproxyFrontend('law').bind('80').directives('redirect location /')),
  ],
  haproxyEarlyHints: (text) => [
    () => words.haproxyEarlyHints(text).preload('/a.css', { as: 'style' }),
    () => words.haproxyEarlyHints('law').preload(`/${text}`, { as: 'style' }),
    () => words.haproxyEarlyHints('law').preload('/a.css', { as: 'style', type: text as never }),
    () => words.haproxyEarlyHints(text).absent(),
  ],
  line: (text) => [
    () => words.line(`/etc/${text}`).present('x', { create: true }),
    () => words.line('/etc/law').present(text, { create: true, after: text }),
    () => words.line('/etc/law').absent(text),
  ],
  link: (text) => [() => words.link(`/srv/${text}`).to(text), () => words.link(`/srv/${text}`).absent()],
  mysqlHistogram: (text) => [
    () => words.mysqlHistogram(text).on(text).buckets(7).in(text),
    () => words.mysqlHistogram('a').on('b').absent().in(text),
    () => words.mysqlHistogram('a').on('b').buckets(7).in('c').defaultsFile(`/root/${text}`),
  ],
  mysqlIndex: (text) => [
    () => words.mysqlIndex(text, text).in(text).invisible(),
    () => words.mysqlIndex('a', 'b').in('c').visible().defaultsFile(`/root/${text}`),
    () => words.mysqlIndex(text, text).in(text).retire({ unusedFor: '72h', grace: '72h', on: [] }),
    () =>
      words
        .mysqlIndex('a', 'b')
        .in('c')
        .retire({ unusedFor: '72h', grace: '72h', on: [text] }),
    () =>
      words
        .mysqlIndex('a', 'b')
        .in('c')
        .retire({ unusedFor: '72h', grace: '72h', on: ['db2'], onDefaultsFile: `/root/${text}` }),
  ],
  nginxEarlyHints: (text) => [
    () => words.nginxEarlyHints(text).serverName('a.example').tls({ certificate: '/a', key: '/b' }).forward('http://b'),
    () => php().serverName(text).preload('/a.css', { as: 'style' }).hop(),
    () => php().root(`/srv/${text}`).fastcgi(`/run/${text}`).preload('/a.css', { as: 'style' }).edge(),
    () =>
      php()
        .preload(`/${text}`, { as: 'style', type: text as never })
        .edge(),
    () =>
      php()
        .tls({ certificate: `/${text}`, key: `/${text}` })
        .preload('/a.css', { as: 'style' })
        .hop(),
    () => php().forward(`http://${text}`),
    () => words.nginxEarlyHints(text).absent(),
  ],
  nginxSite: (text) => [
    () => words.nginxSite(text).serverName('a.example').root('/srv'),
    () => words.nginxSite(text).inConfD().absent(),
    () => words.nginxSite('law').serverName(text).root('/srv'),
    () => words.nginxSite('law').serverName('a.example').root(`/srv/${text}`).fastcgi(`/run/${text}`),
    () =>
      words
        .nginxSite('law')
        .serverName('a.example')
        .listen(text as never)
        .tls({ certificate: `/etc/${text}`, key: `/etc/${text}` })
        .root('/srv'),
    () =>
      words
        .nginxSite('law')
        .serverName('a.example')
        .location(text, { proxy: `http://${text}` }),
    () => words.nginxSite('law').serverName('a.example').location('/', { redirect: text }),
    () => words.nginxSite('law').serverName('a.example').location('/', { directives: text }),
    () => words.nginxSite('law').serverName('a.example').directives(`add_header X-Law "${text}";`).root('/srv'),
  ],
  opcache: (text) => [
    () => words.opcache(text as never).set({ jit: 'off' }),
    () => words.opcache('8.4', { pool: text }).set({ jit: 'off' }),
    () => words.opcache('8.4').set({ jit: text as never, memory: text as never }),
  ],
  phpFpm: (text) => [
    () => words.phpFpm(text as never).socketActivation(),
    () => words.phpFpm('8.4').socketActivation({ socket: `/run/${text}`, owner: text }),
    () => words.phpFpm('8.4').socketActivation({ pool: text, timeout: text as never, mode: text as never }),
  ],
  phpFpmPool: (text) => [
    () => words.phpFpmPool(text as never, 'law').absent(),
    () => words.phpFpmPool('8.4', text).set({ user: text, listen: '/law', pm: 'ondemand', 'pm.max_children': 1 }),
    () => words.phpFpmPool('8.4', 'law').set({ user: 'law', listen: text, pm: 'ondemand', 'pm.max_children': 1 }),
    () => words.phpFpmPool('8.4', 'law').set({ [`env[${text}]`]: text }),
  ],
  phpIni: (text) => [
    () => words.phpIni(text as never, 'law').set({ user_agent: 'x' }),
    () => words.phpIni('8.4', text).absent(),
    () => words.phpIni('8.4', 'law').set({ user_agent: text }),
    () => words.phpIni('8.4', 'law').set({ [text]: 'x' }),
  ],
  phpSession: (text) => [
    () => words.phpSession(text as never).absent(),
    () => words.phpSession('8.4').redis({ host: text }),
    () => words.phpSession('8.4').redis({ socket: `/run/${text}` }),
    () => words.phpSession('8.4').redis({ prefix: text }),
  ],
  preloadHeader: (text) => [
    () => words.preloadHeader(text).preload('/a.css', { as: 'style' }),
    () => words.preloadHeader('law').preload(`/${text}`, { as: 'style' }),
    () => words.preloadHeader('law').preload('/a.css', { as: 'style', type: text as never }),
    () => words.preloadHeader(text).absent(),
  ],
  redisConfig: (text) => [
    () => words.redisConfig({ [text]: 'x' }),
    () => words.redisConfig({ hz: 20, 'maxmemory-policy': text as never }),
    () => words.redisConfig({ appendfilename: text, bind: [text], 'notify-keyspace-events': text }),
    () => words.redisConfig({ hz: 20 }).socket(`/run/${text}`),
    () => words.redisConfig({ hz: 20, databases: 32 }).file(`/etc/redis/${text}`),
    () => words.redisConfig({ hz: 20 }).user(text).passwordFile(`/root/${text}`),
  ],
  redisKeys: (text) => [
    () => words.redisKeys(text).absent('k'),
    () => words.redisKeys('law').string(text, text, { ttl: '1h' }),
    () => words.redisKeys('law').hash(text, { [text]: text }),
    () =>
      words
        .redisKeys('law')
        .sortedSet(text, { [text]: 1 })
        .absent(`${text}2`),
    () => words.redisKeys('law').host(text).absent('k'),
    () => words.redisKeys('law').socket(`/run/${text}`).user(text).passwordFile(`/root/${text}`).absent('k'),
  ],
  service: (text) => [
    () => words.service(text).enabled().started(),
    () => words.service(text).masked(),
    () => words.service(`law@${text}`).disabled().stopped(),
  ],
  resolved: (text) => [
    () => words.resolved(text).set({ Cache: 'no' }),
    () => words.resolved('law').set({ Cache: text as 'no' }),
    () => words.resolved('law').set({ [text]: 'no' }),
    () => words.resolved('law').set({ DNS: [text], Domains: [`~${text}`], DNSStubListenerExtra: [text] }),
    () => words.resolved('law').set({ DNS: [`127.0.0.1%${text}`] }),
    () => words.resolved('law').set({ DNS: [`127.0.0.1#${text}`] }),
    () => words.resolved(text).absent(),
  ],
  sysctl: (text) => [
    () => words.sysctl(text).set('net.core.rmem_max', '1MiB', text),
    () => words.sysctl('law').set(text as never, '1' as never),
    () => words.sysctl('law').set(`net.ipv4.conf.${text}.rp_filter` as never, 1 as never),
    () => words.sysctl('law').set('kernel.core_pattern', text),
    () => words.sysctl(text).absent(),
  ],
  systemdDropIn: (text) => [
    () => words.systemdDropIn(text, 'law').section('Service', { Nice: 1 }),
    () => words.systemdDropIn('law', text).section('Service', { Nice: 1 }),
    () => words.systemdDropIn('law', 'law').section('Service', { Environment: text }),
    () => words.systemdDropIn('law', 'law').section(text, { [text]: 'x' }),
  ],
  systemdService: (text) => [
    () => words.systemdService(text).runs('/bin/true'),
    () => words.systemdService('law').runs(text),
    () => words.systemdService('law').runs(['/bin/true', text]),
    () => words.systemdService('law').runs('/bin/true').as(text, text),
    () =>
      words
        .systemdService('law')
        .runs('/bin/true')
        .environment({ LAW: text })
        .workingDirectory(`/${text}`)
        .hardened({ writes: [`/srv/${text}`] })
        .stopped(),
    () => words.systemdService('law').runs('/bin/true').environmentFile(`/etc/${text}`),
    () => words.systemdService('law').runs('/bin/true').section('Unit', { Description: text }),
    () => words.systemdService(text).absent(),
  ],
  systemdSocket: (text) => [
    () => words.systemdSocket(text).listenStream('/run/law.sock'),
    () => words.systemdSocket('law').listenStream(`/run/${text}`).owner(text, text),
    () => words.systemdSocket('law').listenStream(text).service(text),
    () => words.systemdSocket(text).absent(),
  ],
  systemdTimer: (text) => [
    () => words.systemdTimer(text).onCalendar('daily'),
    () => words.systemdTimer('law').onCalendar(text),
    () => words.systemdTimer('law').onCalendar('daily').starts(text),
    () => words.systemdTimer(text).absent(),
  ],
  systemdUnit: (text) => [
    () => words.systemdUnit(text).section('Service', { ExecStart: '/bin/true' }),
    () => words.systemdUnit(`${text}.service`).absent(),
    () => words.systemdUnit('law.service').section('Service', { ExecStart: text }),
    () => words.systemdUnit('law.service').content(text),
  ],
  tcQdisc: (text) => [() => words.tcQdisc(text).fqCodel({ limit: 1000 }), () => words.tcQdisc(text).absent()],
  user: (text) => [
    () => words.user(text).groups(text),
    () => words.user('law').comment(text),
    () => words.user('law').home(`/home/${text}`).shell(`/bin/${text}`),
    () => words.user('law').group(text),
    () => words.user(text).absent({ home: true }),
  ],
  wpConfig: (text) => [
    () => words.wpConfig(`/srv/${text}.php`).define('LAW', true),
    () => words.wpConfig('/srv/wp-config.php').define(text, true),
    () => words.wpConfig('/srv/wp-config.php').define('LAW', text),
    () => words.wpConfig('/srv/wp-config.php').undefined(text),
  ],
  wpCron: (text) => [
    () => words.wpCron(`/srv/${text}`).everyMinutes(5),
    () => words.wpCron(`/srv/${text}`).byTimer('*:0/5'),
    () => words.wpCron('/srv/law', { user: text, config: `/srv/${text}` }).everyMinutes(5),
    () => words.wpCron('/srv/law', { user: text }).byTimer(text),
    () => words.wpCron('/srv/law', { host: text }).byTimer('*:0/5'),
    () => words.wpCron('/srv/law').byTimer(text),
  ],
  wpPlugin: (text) => [
    () => words.wpPlugin(text).from('../fixtures/wordpress/law-plugin.zip').in('/srv'),
    () => words.wpPlugin('law').from('../fixtures/wordpress/law-plugin.zip').in(`/srv/${text}`),
    () =>
      words
        .wpPlugin('law')
        .from('../fixtures/wordpress/law-plugin.zip')
        .in('/srv', { content: `/srv/${text}`, host: 'a' }),
  ],
  wpTheme: (text) => [
    () => words.wpTheme(text).from('../fixtures/wordpress/law-theme.zip').in('/srv'),
    () => words.wpTheme('law').from('../fixtures/wordpress/law-theme.zip').in(`/srv/${text}`),
    () => words.wpTheme('law').from('../fixtures/wordpress/law-theme.zip').in('/srv', { user: text }),
    () => words.wpTheme('law').from('../fixtures/wordpress/law-theme.zip').in('/srv', { host: text }),
    () => words.wpTheme('law').from(text).in('/srv'),
  ],
}
