/** What is told, without secrets: whatever tells a run, nothing tells those. */

import { withoutSecrets } from '../shell/secret-text.ts'

/** Others find places by them: keys of resources, and lines of the user's files. */
const kept = ['key', 'place']

/** The same value with secrets covered in every text of it. What is made only where it is read, is covered then. */
export function withSecretsCovered<T>(value: T): T {
  if (typeof value === 'string') return withoutSecrets(value) as T
  if (Array.isArray(value)) return value.map((each) => withSecretsCovered<unknown>(each)) as T
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(Object.getOwnPropertyDescriptors(value)).map(
    ([name, field]: [string, PropertyDescriptor]) => {
      if (kept.includes(name)) return [name, field] as const
      const told = field.get
        ? { ...field, get: () => withSecretsCovered<unknown>(field.get!.call(value)) }
        : { ...field, value: withSecretsCovered<unknown>(field.value) }
      return [name, told] as const
    },
  )
  return Object.defineProperties({}, Object.fromEntries(fields)) as T
}
