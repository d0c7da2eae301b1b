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
  type TypeAliasDeclaration,
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
    'Every task also takes the keywords `named`, `when`, `notify`, `tags`, `become`, `retry`, `timeout`, `ignoreErrors` and `guardedBy`.',
    '',
  ]
}

function page(name: string, made: FunctionDeclaration): string {
  const chains = chainsFrom(made.getReturnType())
  const methods = new Map(chains.flatMap(methodsOf).map((method) => [method.getName(), method]))
  const told = new Set<TypeAliasDeclaration>()
  return [
    `# ${name}`,
    '',
    code(signature(name, made)),
    ...documentation(made.getJsDocs(), 2),
    ...optionsOf(made, told),
    ...[...methods].flatMap(([method, declaration]) => [
      `## .${method}()`,
      '',
      code(signature(`.${method}`, declaration)),
      ...documentation(documented(method, declaration, chains), 3),
      ...optionsOf(declaration, told),
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

/**
 * What may be said in the options of a function: a line for each, with its comment; and what the names in its types stand for,
 * once on a page.
 */
function optionsOf(node: FunctionDeclaration | Method, told: Set<TypeAliasDeclaration>): readonly string[] {
  const parameters = node.getParameters().filter((parameter) => parameter.getName() !== 'this')
  const options = parameters
    .flatMap((parameter) => parameter.getType().getNonNullableType().getProperties())
    .flatMap((property) => property.getDeclarations().filter(Node.isPropertySignature))
    .filter((property) => property.getSourceFile().getFilePath().includes('/modules/'))
  const lines = [...new Set(options.map((property) => property.getName()))].map((name) => {
    const forms = options.filter((property) => property.getName() === name)
    const types = new Set(forms.map((form) => spelt(form.getTypeNode(), 'unknown')))
    const doc = forms.flatMap((form) => form.getJsDocs()).at(-1)
    const words = plain(doc?.getDescription() ?? '').replace(/\s+/g, ' ')
    const preset = doc?.getTags().find((tag) => tag.getTagName() === 'default')
    const otherwise = preset ? ` Default: \`${plain(preset.getText().replace(/^@\w+\s*/, ''))}\`.` : ''
    const mark = forms.some((form) => form.hasQuestionToken()) ? '?' : ''
    return `- ${inline(`${name}${mark}: ${[...types].join(' | ')}`)}${words && `: ${words}`}${otherwise}`
  })
  const all = [...lines, ...[...parameters, ...options].flatMap((each) => aliasesIn(each, told))]
  return all.length > 0 ? [...all, ''] : []
}

/** A line for each name in the types of a node that stands for plain values, and that was not told yet. */
function aliasesIn(node: Node, told: Set<TypeAliasDeclaration>): readonly string[] {
  return typesOf(node).flatMap((type) => {
    if (!Node.isTypeReference(type)) return []
    const symbol = type.getTypeName().getSymbol()
    const alias = (symbol?.getAliasedSymbol() ?? symbol)?.getDeclarations().find(Node.isTypeAliasDeclaration)
    if (!alias || told.has(alias) || isForeign(alias) || !isPlain(alias.getType())) return []
    told.add(alias)
    const words = plain(alias.getJsDocs().at(-1)?.getDescription() ?? '').replace(/\s+/g, ' ')
    const line = `- \`${alias.getName()}\` is ${inline(spelt(alias.getTypeNode(), 'unknown'))}${words && `: ${words}`}`
    return [line, ...aliasesIn(alias, told)]
  })
}

/** Values that can be written down, or of which the language knows what they are. */
function isPlain(type: Type): boolean {
  return (type.isUnion() ? type.getUnionTypes() : [type]).every(
    (part) =>
      isWritten(part) ||
      part.isString() ||
      part.isNumber() ||
      part.isBoolean() ||
      part.isNull() ||
      (part.getSymbol()?.getDeclarations() ?? []).some(isForeign),
  )
}

function isWritten(type: Type): boolean {
  return type.isLiteral() || type.isTemplateLiteral()
}

function isForeign(node: Node): boolean {
  return node.getSourceFile().getFilePath().includes('/node_modules/')
}

/** The types that are written in a node. */
function typesOf(node: Node): readonly Node[] {
  return [node, ...node.getDescendants()].filter((each) => Node.isTypeNode(each))
}

/** A node in one line. A type that is only told by another place, such as `Answer['protocol']`, has its values instead. */
function spelt(node: Node | undefined, otherwise: string): string {
  if (!node) return otherwise
  const start = node.getStart()
  let text = ''
  let end = start
  for (const type of typesOf(node)) {
    if (type.getStart() < end) continue
    const values = valuesElsewhere(type)
    if (values.length === 0) continue
    const parent = type.getParent()
    const isPart = type !== node && !(Node.isUnionTypeNode(parent) || Node.isParameterDeclaration(parent))
    text += node.getSourceFile().getFullText().slice(end, type.getStart())
    text += isPart ? `(${values.join(' | ')})` : values.join(' | ')
    end = type.getEnd()
  }
  return (text + node.getSourceFile().getFullText().slice(end, node.getEnd())).replace(/\s+/g, ' ')
}

function valuesElsewhere(node: Node): readonly string[] {
  const isElsewhere =
    Node.isIndexedAccessTypeNode(node) ||
    Node.isTypeOperatorTypeNode(node) ||
    (Node.isTemplateLiteralTypeNode(node) && /\btypeof\b/.test(node.getText()))
  if (!isElsewhere) return []
  const type = node.getType()
  const parts = type.isUnion() ? type.getUnionTypes() : [type]
  if (!parts.every(isWritten)) return []
  return parts.map((part) => part.getText().replace(/^"([^'\\]*)"$/, "'$1'"))
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
    .map((parameter) => spelt(parameter, ''))
  const generics = node.getTypeParameters().map((parameter) => parameter.getText())
  return `${name}${generics.length > 0 ? `<${generics.join(', ')}>` : ''}(${parameters.join(', ')})`
}

function code(text: string): string {
  return `\`\`\`ts\n${text}\n\`\`\``
}
