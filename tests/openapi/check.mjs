// Lints docs/openapi.yaml and compares it with the tables that the program is made of.
import { readFileSync } from 'node:fs'
import redocly from '@redocly/openapi-core'

const { createConfig, lint, parseYaml } = redocly
const FILE = 'docs/openapi.yaml'
const faults = []

function expect(condition, text) {
	if (!condition) faults.push(text)
}

// ---- the linter ----

const config = await createConfig({
	extends: ['recommended-strict'],
	// Nothing is wrong about a path that refuses nobody.
	rules: { 'operation-4xx-response': 'off' },
})
for (const problem of await lint({ ref: FILE, config })) {
	const where = problem.location[0]
	faults.push(`${where.pointer ?? ''} ${problem.ruleId}: ${problem.message}`)
}

// ---- the tables ----

const document = parseYaml(readFileSync(FILE, 'utf8'))
expect(/^3\.1\./.test(document.openapi), 'it is of OpenAPI 3.1')
const rows = (name, pattern) => [...readFileSync(`lib/http/${name}.def`, 'utf8').matchAll(pattern)]

const routes = rows('routes', /^ROUTE\((\w+), (\w+), "([^"]+)", (\w+), (\w+), (\w+)\)/gm).map(
	([, name, method, path, program, guard, body]) => ({ name, method: method.toLowerCase(), path, guard, body }),
)
const parameters = rows('parameters', /^PARAMETER\(\w+, "([^"]+)", ([^\n]+)\)$/gm).map(([, name, on]) => ({
	name,
	routes: [...on.matchAll(/ON\((\w+)\)/g)].map((match) => match[1]),
}))
const errors = rows('errors', /^OUTCOME\((\w+), (\d+), "(\w+)"/gm).map(([, , status, code]) => ({ status, code }))
expect(routes.length > 10 && parameters.length > 5 && errors.length > 20, 'the tables could not be read')

function resolve(node) {
	while (node?.$ref) {
		node = node.$ref
			.slice(2)
			.split('/')
			.reduce((at, part) => at?.[part.replaceAll('~1', '/').replaceAll('~0', '~')], document)
	}
	return node
}

const METHODS = ['get', 'put', 'post', 'patch', 'delete', 'head', 'options', 'trace']
const described = Object.entries(document.paths).flatMap(([path, item]) =>
	METHODS.filter((method) => item[method]).map((method) => ({ path, method, item, operation: item[method] })),
)

function find(route) {
	return described.find((entry) => entry.path === route.path && entry.method === route.method)
}

for (const { path, method } of described)
	expect(
		routes.some((route) => route.path === path && route.method === method),
		`${method} ${path} is described and no route`,
	)

// ---- each route ----

const SECURITY = { PUBLIC: null, BEARER: 'bearer', OWNER: 'bearer', OPERATOR: 'operator' }
const MEDIA = { NONE: [], JSON: ['application/json'], MAY: ['application/json'], PATCH: ['application/json', 'application/merge-patch+json'] }

// Statuses that a row of the table leads to, whatever its handler does.
function statuses(route) {
	const wanted = ['500']
	if (route.guard !== 'PUBLIC') wanted.push('400', '401', '429')
	if (route.guard === 'OWNER') wanted.push('403', '503', '504')
	if (route.guard === 'OWNER' && route.method !== 'delete') wanted.push('406')
	if (['BEARER', 'OPERATOR'].includes(route.guard)) wanted.push('503')
	if (route.guard === 'OPERATOR' || route.path.includes('{id}')) wanted.push('404')
	if (route.body !== 'NONE') wanted.push('413', '415', '422')
	return wanted
}

function names(entry, place) {
	return [...(entry.item.parameters ?? []), ...(entry.operation.parameters ?? [])]
		.map(resolve)
		.filter((parameter) => parameter.in === place)
		.map((parameter) => parameter.name)
		.sort()
}

const same = (one, other) => JSON.stringify([...one].sort()) === JSON.stringify([...other].sort())
const usedCodes = new Set()

for (const route of routes) {
	const entry = find(route)
	const title = `${route.method} ${route.path}`
	expect(entry, `${title} is not described`)
	if (!entry) continue

	const inQuery = parameters.filter((parameter) => parameter.routes.includes(route.name)).map((parameter) => parameter.name)
	expect(same(names(entry, 'query'), inQuery), `${title}: its query parameters are ${inQuery.sort()}`)
	const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1])
	expect(same(names(entry, 'path'), inPath), `${title}: its path parameters are ${inPath}`)

	const security = entry.operation.security ?? document.security
	const schemes = security.flatMap((option) => Object.keys(option))
	const wanted = SECURITY[route.guard]
	if (wanted) expect(schemes.includes(wanted) && security.every((option) => Object.keys(option).length > 0), `${title} wants ${wanted}`)
	else expect(security.length === 0 || security.some((option) => Object.keys(option).length === 0), `${title} wants no token`)

	const body = resolve(entry.operation.requestBody)
	expect(same(Object.keys(body?.content ?? {}), MEDIA[route.body]), `${title}: its bodies are ${MEDIA[route.body]}`)
	expect(Boolean(body?.required) === ['JSON', 'PATCH'].includes(route.body), `${title}: is its body required`)

	for (const status of statuses(route)) expect(entry.operation.responses[status], `${title}: ${status} is missing`)
	for (const [status, reference] of Object.entries(entry.operation.responses)) {
		const response = resolve(reference)
		expect(response.headers?.['X-Request-Id'], `${title} ${status}: X-Request-Id is missing`)
		const schema = response.content?.['application/problem+json']?.schema
		expect(!!schema === (status >= '400' && response.content?.['application/json'] === undefined), `${title} ${status}: is it a problem`)
		if (!schema) continue
		expect(String(schema.properties?.status?.const) === status, `${title} ${status}: its document says another status`)
		for (const code of schema.properties?.code?.enum ?? []) {
			usedCodes.add(code)
			expect(
				errors.some((error) => error.code === code && error.status === status),
				`${title} ${status}: no outcome has the code ${code}`,
			)
		}
	}
}

// ---- each outcome ----

const known = document.components.schemas.Problem.properties.code.enum
expect(same(known, new Set(errors.map((error) => error.code))), 'the codes of a Problem are not those of errors.def')
for (const { code } of errors)
	// What a path does not know belongs to no operation.
	expect(usedCodes.has(code) || code === 'method_not_allowed', `no operation answers ${code}`)

// ---- each fault of a body ----

const faultsOfBodies = new Set([...readFileSync('lib/task/read.c', 'utf8').matchAll(/"(\w+)"\);$/gm)].map((match) => match[1]))
expect(faultsOfBodies.size > 10, 'the faults of a body could not be read')
expect(
	same(document.components.schemas.Problem.properties.errors.items.properties.type.enum, faultsOfBodies),
	'the types of errors are not those of lib/task/read.c',
)

// ---- other origins ----

// What the program tells browsers, in strings that C joins.
const cors = readFileSync('lib/http/cors.c', 'utf8')
for (const header of ['Access-Control-Expose-Headers', 'Access-Control-Allow-Headers']) {
	const [, value] = cors.match(new RegExp(`VIEW\\("${header}"\\),([^;]*);`)) ?? [, '']
	const names = [...value.matchAll(/"([^"]*)"/g)].map((match) => match[1]).join('').split(', ')
	expect(names.length > 5, `${header} could not be read`)
	for (const name of names) expect(document.info.description.includes(`\`${name}\``), `${header}: ${name} is not described`)
}

if (faults.length > 0) {
	for (const fault of faults) console.error(`${FILE}: ${fault}`)
	process.exit(1)
}
console.log(`${FILE}: ${routes.length} routes, ${parameters.length} parameters, ${errors.length} outcomes`)
