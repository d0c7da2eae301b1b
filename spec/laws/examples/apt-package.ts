import { aptPackage, sh } from '../../../index.ts'
import { debianPackage, packageRemains, pendingUpgrade } from '../../../modules/package-places.ts'
import type { Example } from '../../../testing/example.ts'

const one = 'fp-law-one'
const two = 'fp-law-two'

/** A repository of our own in a folder of the host, instead of those that it cannot reach. */
const repository = sh`set -e
[ ! -e /srv/fp-law/Packages ] || exit 0
mkdir -p /srv/fp-law /srv/fp-law-sources
for p in fp-law-one fp-law-two; do
  for v in 1.0 1.1; do
    d=/srv/fp-law-sources/$p-$v
    mkdir -p "$d/DEBIAN" "$d/etc"
    echo "$v" >"$d/etc/$p.conf"
    echo "/etc/$p.conf" >"$d/DEBIAN/conffiles"
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: empty\n' "$p" "$v" >"$d/DEBIAN/control"
    dpkg-deb -b "$d" "/srv/fp-law/$p-$v.deb" >/dev/null
  done
done
cd /srv/fp-law
for f in *.deb; do
  dpkg-deb -f "$f"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$f" "$(stat -c %s "$f")" "$(sha256sum <"$f" | cut -d' ' -f1)"
done >Packages
mkdir -p /srv/fp-law-sources/apt
mv /etc/apt/sources.list /etc/apt/sources.list.d/* /srv/fp-law-sources/apt 2>/dev/null || :
echo 'deb [trusted=yes] file:/srv/fp-law ./' >/etc/apt/sources.list.d/fp-law.list
apt-get -qq update`

const gone = sh`dpkg --purge fp-law-one fp-law-two 2>/dev/null || :`
const at = (version: string) => sh`${gone}
DEBIAN_FRONTEND=noninteractive apt-get -qq -y install ${[one, two].map((name) => `${name}=${version}`)} >/dev/null`

export const aptPackageExamples: readonly Example[] = [
  { name: 'aptPackage, new', task: () => aptPackage(one, two), before: () => gone, prepare: repository, proved: 'lab' },
  {
    name: 'aptPackage, one of two is missing',
    task: () => aptPackage(one, two).withoutRecommends().refresh('365d'),
    values: () => [[debianPackage(one), { version: '1.0' }]],
    before: () => sh`${at('1.0')}
dpkg --purge fp-law-two`,
    prepare: repository,
    proved: 'lab',
  },
  {
    name: 'aptPackage, older version',
    task: () => aptPackage(one).version('1.0'),
    values: () => [[debianPackage(one), { version: '1.1' }]],
    before: () => at('1.1'),
    prepare: repository,
    proved: 'lab',
  },
  {
    name: 'aptPackage, latest',
    task: () => aptPackage(one, two).latest(),
    values: () =>
      [one, two].flatMap((name) => [
        [debianPackage(name), { version: '1.0' }],
        [pendingUpgrade(name), { installed: '1.0', candidate: '1.1' }],
      ]),
    before: () => at('1.0'),
    prepare: repository,
    proved: 'lab',
  },
  {
    name: 'aptPackage, absent',
    task: () => aptPackage(one, two).absent(),
    values: () => [one, two].map((name) => [debianPackage(name), { version: '1.1' }]),
    before: () => at('1.1'),
    prepare: repository,
    proved: 'lab',
  },
  {
    name: 'aptPackage, purged',
    task: () => aptPackage(one, two).purged(),
    values: () => [
      [debianPackage(one), { version: '1.1' }],
      [packageRemains(two), '1.1'],
    ],
    before: () => sh`${at('1.1')}
dpkg --remove fp-law-two`,
    prepare: repository,
    proved: 'lab',
  },
]
