/** The words of a play: its grammar and every module. */

export { handler } from './dsl/handler.ts'
export { inventory } from './dsl/inventory.ts'
export { match } from './dsl/pattern.ts'
export { together, type Play } from './dsl/play.ts'
export { shape } from './dsl/shape.ts'
export { changed, type TaskList } from './dsl/task.ts'
export { boolean, integer, list, oneOf, optional, text } from './dsl/variable.ts'
export { file } from './modules/file.ts'
export { sh } from './shell/script.ts'
