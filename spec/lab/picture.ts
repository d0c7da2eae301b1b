/** What a host is like, seen from outside by the OpenSSH client: the engine has no part in it. */

/** Runs a command on a host, as root, and gives what it prints. */
type On = (host: string, command: string, input?: string) => Promise<string>

/** By what is looked at: `file /etc/hosts`, `unit nginx.service`, `redis maxmemory`. */
export type Picture = ReadonlyMap<string, string>

/** All that plays for the fleet could touch, and a good deal around it, but for what lives by itself. */
export async function picture(on: On, host: string): Promise<Picture> {
  const printed = await on(host, 'bash -s', script)
  const lines = printed.split('\n').map((line) => line.split('\t'))
  const seen = new Map<string, string>()
  for (const [kind, name, ...rest] of lines) {
    const key = `${kind} ${name}`
    const value = rest.join('\t')
    // Several sockets have one name, and several lines of one file.
    seen.set(key, seen.has(key) ? `${seen.get(key)}\n${value}` : value)
  }
  return seen
}

/** What differs between two pictures: a line each, sorted. */
export function difference(before: Picture, after: Picture): readonly string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted()
  return names.flatMap((name) => {
    const [was, is] = [before.get(name) ?? 'nothing', after.get(name) ?? 'nothing']
    return was === is ? [] : [`${name}: ${was} → ${is}`]
  })
}

const script = String.raw`export LC_ALL=C
tree() { find /etc /srv /root /home /usr/local /opt /var -xdev \( -path /var/log -o -path /var/lib/mysql -o -path /var/tmp \) -prune -o "$@"; }

# Ids of what was removed and made again, and times, are no part of it.
tree -printf 'file\t%p\t%y %m %u:%g %l\n'
tree -type f -print0 | xargs -0 sha256sum | sed -E 's/^([0-9a-f]+)  (.*)/content\t\2\t\1/'
for base in passwd group shadow gshadow; do sed -E "s/^([^:]*):/$base\t\1\t/" /etc/$base; done

systemctl list-units --all --full --no-legend --plain --type=service,socket,timer,path,target |
  while read -r unit load active sub _; do [ $active = inactive ] || printf 'unit\t%s\t%s %s %s\n' "$unit" $load $active $sub; done
# Of all units this takes seconds; links that enable others are files above.
for unit in nginx haproxy redis-server mysql php8.4-fpm.service php8.4-fpm.socket phpsessionclean.timer; do
  printf 'enabled\t%s\t%s\n' $unit "$(systemctl is-enabled $unit)"
done
systemctl show '*.service' -p Id -p NeedDaemonReload | grep -B1 -A1 '^NeedDaemonReload=yes' | sed -n 's/^Id=\(.*\)/stale\t\1\tyes/p'
# How a service was started shows in its process, also where its files say otherwise by now.
systemctl list-units --full --no-legend --plain --type=service --state=running | while read -r unit _; do
  pid=$(systemctl show -P MainPID "$unit")
  [ -r "/proc/$pid/status" ] || continue
  printf 'process\t%s\t%s, as %s, with %s files\n' "$unit" "$(tr '\0' ' ' </proc/$pid/cmdline | sed 's/ -sf [0-9 ]*-x sockpair@[0-9]* / /; s/ *$//')" "$(stat -c %U /proc/$pid)" "$(sed -n 's/^Max open files *//p' /proc/$pid/limits | tr -s ' ')"
done

tc qdisc show | sed -E 's/^qdisc (\S+) \S+ dev (\S+) /qdisc\t\2\t\1 /'
sysctl -a 2>/dev/null | grep -E '^(net|vm|kernel)\.' | grep -v '^kernel.random.uuid' | sed 's/ = */\t/; s/^/sysctl\t/'
ss -Hltnup | awk '{ gsub(/,?(pid|fd)=[0-9]+/, "", $NF); print "listens\t" $1 " " $5 "\t" $NF }' | sort
ss -Hlxp | awk '$5 ~ /^\// { gsub(/,?(pid|fd)=[0-9]+/, "", $NF); gsub(/\("\(udev-worker"\),/, "", $NF); sub(/\.[0-9]+\.tmp$/, "", $5); print "listens\t" $5 "\t" $NF }' | sort
ss -Hlunm src 127.0.0.53 | grep -o 'rb[0-9]*' | sed 's/^/buffer\tresolver\t/'

if systemctl -q is-active mysql; then
  mysql -rBN <<'SQL'
select concat_ws('\t', 'histogram', concat_ws('.', schema_name, table_name, column_name), histogram->>'$."number-of-buckets-specified"') from information_schema.column_statistics order by 1;
select concat_ws('\t', 'index', concat_ws('.', table_schema, table_name, index_name), concat(min(is_visible), ' ', group_concat(column_name order by seq_in_index))) from information_schema.statistics group by table_schema, table_name, index_name order by 1;
select concat_ws('\t', 'table', concat_ws('.', table_schema, table_name), concat(engine, ' ', create_options)) from information_schema.tables where table_type = 'BASE TABLE' order by 1;
select concat_ws('\t', 'variable', variable_name, variable_value) from performance_schema.global_variables where variable_name <> 'gtid_executed' order by 1;
select concat_ws('\t', 'account', concat(user, '@', host), sha2(authentication_string, 256)) from mysql.user order by 1;
SQL
fi
if systemctl -q is-active redis-server; then
  redis-cli --raw config get '*' | paste -d '\t' - - | sed 's/^/redis\t/'
  redis-cli --scan | sort | while read -r key; do
    printf 'key\t%s\t%s, until %s, %s\n' "$key" "$(redis-cli --raw type "$key")" "$(redis-cli --raw expiretime "$key")" "$(redis-cli --raw dump "$key" | sha256sum)"
  done
fi
`
