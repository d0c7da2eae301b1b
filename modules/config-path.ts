/** Paths that stand in the configurations of web servers. */

/** What is wrong with a path: what would need quotes in one of their languages is not taken. */
export function configPathProblem(path: string): string | undefined {
  if (/^(\/[\w@%+=:,.~-]+)+$/.test(path) && !/\/\.\.?(\/|$)/.test(path)) return undefined
  return `${JSON.stringify(path)} is not an absolute path of letters, digits and _@%+=:,.~-`
}
