/** Where Debian keeps the parts of a PHP: several versions stand side by side, each with its own. */

/** A version as its packages are called: `8.2`, `8.4`. */
export type PhpVersion = `${number}.${number}`

/** Who runs PHP: each has a folder of settings of its own. */
export type PhpSapi = 'fpm' | 'cli'

/** What is wrong with a version; undefined where nothing is. */
export function versionProblem(version: string): string | undefined {
  return /^[5-9]\.\d{1,2}$/.test(version)
    ? undefined
    : `${JSON.stringify(version)} is not a version of PHP as its packages are called, such as 8.4`
}

/** Whether a version is at least another. */
export function isAtLeast(version: string, least: PhpVersion): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number)
  return major > leastMajor || (major === leastMajor && minor >= leastMinor)
}

/** What is wrong with the name of a file of settings or of a pool. */
export function nameProblem(what: string, name: string): string | undefined {
  return /^[A-Za-z0-9_][\w.-]*$/.test(name) && !/\.(?:ini|conf)$/.test(name)
    ? undefined
    : `${JSON.stringify(name)} is not a name for ${what}: letters, digits and _.- make one, without .ini or .conf`
}

/** A file of settings that is read after those of Debian, of which the last one wins. */
export function iniPath(version: string, sapi: PhpSapi, name: string): string {
  return `/etc/php/${version}/${sapi}/conf.d/99-${name}.ini`
}

export function poolPath(version: string, pool: string): string {
  return `/etc/php/${version}/fpm/pool.d/${pool}.conf`
}

/** What all pools of a master have in common. */
export function globalPath(version: string): string {
  return `/etc/php/${version}/fpm/php-fpm.conf`
}

/** The unit of the master: `php8.4-fpm.service`. */
export function fpmUnit(version: string): string {
  return `php${version}-fpm.service`
}

/** Where Debian's only pool listens. */
export function debianSocket(version: string): string {
  return `/run/php/php${version}-fpm.sock`
}
