/** The inventory without -i. Here it is the sandbox; in your project it is the one that does the least harm. */

export { default } from './sandbox.ts'
