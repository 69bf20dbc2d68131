// follow.mjs FOLDER: does in that copy of the tree what docs/CONTRIBUTING.md of this one says, step by step.
// A step: "N. In `FILE`, below|above|in the place of `TEXT`:" and a block of code. TEXT stands in FILE once.
import { readFileSync, writeFileSync } from 'node:fs'

const folder = process.argv[2]
const words = readFileSync('docs/CONTRIBUTING.md', 'utf8')
const steps = [
	...words.matchAll(/^\d+\. In `([^`]+)`, (below|above|in the place of) `([^`]+)`:\n\n```\w+\n(.*?)```$/gms),
]
if (steps.length !== [...words.matchAll(/^\d+\. /gm)].length) throw new Error('a step is not in the form of steps')
if (steps.length === 0) throw new Error('there is no step')

for (const [, file, where, text, block] of steps) {
	const path = `${folder}/${file}`
	const before = readFileSync(path, 'utf8')
	if (before.split(text).length !== 2) throw new Error(`${file} does not hold once: ${text}`)
	const at = before.indexOf(text)
	const lineStart = before.lastIndexOf('\n', at) + 1
	const lineEnd = before.indexOf('\n', at) + 1
	const [from, to, put] = {
		below: [lineEnd, lineEnd, block],
		above: [lineStart, lineStart, block],
		'in the place of': [at, at + text.length, block.trimEnd()],
	}[where]
	writeFileSync(path, before.slice(0, from) + put + before.slice(to))
}
