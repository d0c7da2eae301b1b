/** The reference of the modules as Markdown: a page for each, and one that lists them. */

import {
  type ClassDeclaration,
  type FunctionDeclaration,
  type InterfaceDeclaration,
  type JSDoc,
  type MethodDeclaration,
  type MethodSignature,
  Node,
  Project,
  type Type,
} from 'ts-morph'

type Method = MethodDeclaration | MethodSignature
type Chain = ClassDeclaration | InterfaceDeclaration

/** Pages by file name, for every function that the entry exports from `modules/`. */
export function modulePages(entry: string): ReadonlyMap<string, string> {
  const project = new Project({ compilerOptions: { strict: true, allowImportingTsExtensions: true, noEmit: true } })
  const source = project.addSourceFileAtPath(entry)
  const functions = [...source.getExportedDeclarations()]
    .flatMap(([name, declarations]) => declarations.filter(Node.isFunctionDeclaration).map((made) => ({ name, made })))
    .filter(({ made }) => made.getSourceFile().getFilePath().includes('/modules/'))
    .toSorted((a, b) => a.name.localeCompare(b.name))
  return new Map([
    ['README.md', list(functions)],
    ...functions.map(({ name, made }) => [`${name}.md`, page(name, made)] as const),
  ])
}

function list(functions: readonly { readonly name: string; readonly made: FunctionDeclaration }[]): string {
  const rows = functions.map(({ name, made }) => `| [\`${name}\`](${name}.md) | ${firstSentence(made.getJsDocs())} |`)
  return ['# Modules', '', '| module | what it is for |', '|---|---|', ...rows, '', ...keywords()].join('\n')
}

/** What every task has; said once, not on every page. */
function keywords(): readonly string[] {
  return [
    'Every task also takes the keywords `named`, `when`, `notify`, `tags`, `become`, `retry`, `timeout` and `ignoreErrors`.',
    '',
  ]
}

function page(name: string, made: FunctionDeclaration): string {
  const chains = chainsFrom(made.getReturnType())
  const methods = new Map(chains.flatMap(methodsOf).map((method) => [method.getName(), method]))
  return [
    `# ${name}`,
    '',
    code(signature(name, made)),
    ...documentation(made.getJsDocs(), 2),
    ...optionsOf(made),
    ...[...methods].flatMap(([method, declaration]) => [
      `## .${method}()`,
      '',
      code(signature(`.${method}`, declaration)),
      ...documentation(documented(method, declaration, chains), 3),
      ...optionsOf(declaration),
    ]),
  ].join('\n')
}

/** What a function returns, and what the methods of that return: the forms that a chain goes through. */
function chainsFrom(type: Type): readonly Chain[] {
  const found = new Map<string, Chain>()
  const visit = (each: Type): void => {
    for (const part of each.isUnion() ? each.getUnionTypes() : [each]) {
      const chain = part.getSymbol()?.getDeclarations().find(isChain)
      const name = chain?.getName()
      if (!chain || !name || found.has(name) || !chain.getSourceFile().getFilePath().includes('/modules/')) continue
      found.set(name, chain)
      for (const method of methodsOf(chain)) visit(method.getReturnType())
    }
  }
  visit(type)
  return [...found.values()]
}

function isChain(node: Node): node is Chain {
  return Node.isClassDeclaration(node) || Node.isInterfaceDeclaration(node)
}

/** What a play may call: not what the engine asks of a task. */
function methodsOf(chain: Chain): readonly Method[] {
  const engines = ['supplied', 'judge']
  return (chain.getMethods() as Method[]).filter(
    (method) =>
      !engines.includes(method.getName()) &&
      !(Node.isMethodDeclaration(method) && (method.hasModifier('private') || method.hasModifier('protected'))) &&
      !method.getJsDocs().some((doc) => doc.getTags().some((tag) => tag.getTagName() === 'internal')),
  )
}

/** The comment of a method, wherever in the chain it is written. */
function documented(name: string, method: Method, chains: readonly Chain[]): readonly JSDoc[] {
  const all = [method, ...chains.flatMap(methodsOf).filter((other) => other.getName() === name)]
  return all.map((each) => each.getJsDocs()).find((docs) => docs.length > 0) ?? []
}

function documentation(docs: readonly JSDoc[], level: number): readonly string[] {
  const doc = docs.at(-1)
  if (!doc) return ['']
  const tags = doc.getTags().map((tag) => ({ name: tag.getTagName(), text: tag.getText().replace(/^@\w+\s*/, '') }))
  const words = (name: string) => tags.filter((tag) => tag.name === name).map((tag) => plain(tag.text))
  return [
    '',
    plain(doc.getDescription()),
    '',
    ...words('default').flatMap((text) => [`Default: \`${text}\``, '']),
    ...words('example').flatMap((text) => [`${'#'.repeat(level)} Example`, '', code(text), '']),
    ...(words('see').length > 0 ? [`See ${words('see').join(' · ')}`, ''] : []),
  ]
}

/** What may be said in the options of a function: a line for each, with its comment. */
function optionsOf(node: FunctionDeclaration | Method): readonly string[] {
  const options = node
    .getParameters()
    .flatMap((parameter) => parameter.getType().getNonNullableType().getProperties())
    .flatMap((property) => property.getDeclarations().filter(Node.isPropertySignature))
    .filter((property) => property.getSourceFile().getFilePath().includes('/modules/'))
  const lines = [...new Set(options.map((property) => property.getName()))].map((name) => {
    const forms = options.filter((property) => property.getName() === name)
    const types = new Set(forms.map((form) => (form.getTypeNode()?.getText() ?? 'unknown').replace(/\s+/g, ' ')))
    const doc = forms.flatMap((form) => form.getJsDocs()).at(-1)
    const words = plain(doc?.getDescription() ?? '').replace(/\s+/g, ' ')
    const preset = doc?.getTags().find((tag) => tag.getTagName() === 'default')
    const otherwise = preset ? ` Default: \`${plain(preset.getText().replace(/^@\w+\s*/, ''))}\`.` : ''
    const mark = forms.some((form) => form.hasQuestionToken()) ? '?' : ''
    return `- ${inline(`${name}${mark}: ${[...types].join(' | ')}`)}${words && `: ${words}`}${otherwise}`
  })
  return lines.length > 0 ? [...lines, ''] : []
}

/** Code within a line; a template type has backticks of its own. */
function inline(text: string): string {
  return text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``
}

function firstSentence(docs: readonly JSDoc[]): string {
  const text = plain(docs.at(-1)?.getDescription() ?? '').replace(/\s+/g, ' ')
  return (/^.*?\.(?= |$)/.exec(text)?.[0] ?? text).replaceAll('|', '\\|')
}

/** Without the stars at the edge of the comment. */
function plain(text: string): string {
  return text
    .replace(/^\s*\*\/?\s?/gm, '')
    .replace(/\s*\*\/\s*$/, '')
    .trim()
}

function signature(name: string, node: FunctionDeclaration | Method): string {
  const parameters = node
    .getParameters()
    .filter((parameter) => parameter.getName() !== 'this')
    .map((parameter) => parameter.getText().replace(/\s+/g, ' '))
  const generics = node.getTypeParameters().map((parameter) => parameter.getText())
  return `${name}${generics.length > 0 ? `<${generics.join(', ')}>` : ''}(${parameters.join(', ')})`
}

function code(text: string): string {
  return `\`\`\`ts\n${text}\n\`\`\``
}
