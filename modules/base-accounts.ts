/** Accounts and groups that every Debian has with the same numbers. */

/** Name and number of each static group. */
const groups = `root 0 daemon 1 bin 2 sys 3 adm 4 tty 5 disk 6 lp 7 mail 8 news 9 uucp 10 man 12 proxy 13 kmem 15 dialout 20
fax 21 voice 22 cdrom 24 floppy 25 tape 26 sudo 27 audio 29 dip 30 www-data 33 backup 34 operator 37 list 38 irc 39 src 40
shadow 42 utmp 43 video 44 sasl 45 plugdev 46 staff 50 games 60 users 100 nogroup 65534`

/**
 * Lines of the base-passwd package, of Debian 12.
 *
 * @see /usr/share/base-passwd/passwd.master
 */
const users = `root:0:root:root:/root:/bin/bash
daemon:1:daemon:daemon:/usr/sbin:/usr/sbin/nologin
bin:2:bin:bin:/bin:/usr/sbin/nologin
sys:3:sys:sys:/dev:/usr/sbin/nologin
sync:4:nogroup:sync:/bin:/bin/sync
games:5:games:games:/usr/games:/usr/sbin/nologin
man:6:man:man:/var/cache/man:/usr/sbin/nologin
lp:7:lp:lp:/var/spool/lpd:/usr/sbin/nologin
mail:8:mail:mail:/var/mail:/usr/sbin/nologin
news:9:news:news:/var/spool/news:/usr/sbin/nologin
uucp:10:uucp:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:13:proxy:proxy:/bin:/usr/sbin/nologin
www-data:33:www-data:www-data:/var/www:/usr/sbin/nologin
backup:34:backup:backup:/var/backups:/usr/sbin/nologin
list:38:list:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:39:irc:ircd:/run/ircd:/usr/sbin/nologin
nobody:65534:nogroup:nobody:/nonexistent:/usr/sbin/nologin`

/** Numbers of the groups of a freshly installed Debian. */
export const baseGroups: ReadonlyMap<string, number> = new Map(
  [...groups.matchAll(/(\S+) (\d+)/g)].map(([, name, gid]) => [name!, Number(gid)]),
)

/** Accounts of a freshly installed Debian. None has supplementary groups. */
export const baseUsers = new Map(
  users.split('\n').map((line) => {
    const [name, uid, group, comment, home, shell] = line.split(':') as [string, string, string, string, string, string]
    return [name, { uid: Number(uid), group, groups: [], home, shell, comment }]
  }),
)
