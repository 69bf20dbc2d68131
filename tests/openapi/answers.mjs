// Asks a running server for everything that docs/openapi.yaml describes, well and badly, and validates what it answers.
//   answers.mjs          with the database there
//   answers.mjs locked   while somebody holds the tasks
//   answers.mjs broken   while the responders' role may do nothing
//   answers.mjs down     without the database
// From the environment: BASE_URL, BETTER_AUTH_SECRET, METRICS_TOKEN.
import { createHmac, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import redocly from '@redocly/openapi-core'
import Ajv2020 from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

const { BASE_URL, BETTER_AUTH_SECRET, METRICS_TOKEN } = process.env
const document = redocly.parseYaml(readFileSync('docs/openapi.yaml', 'utf8'))
const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false })
addFormats(ajv)
ajv.addSchema({ ...document, $id: 'doc' })

const faults = []
const seen = new Set()
const validators = new Map()

function resolve(node) {
	while (node?.$ref)
		node = node.$ref
			.slice(2)
			.split('/')
			.reduce((at, part) => at[part], document)
	return node
}

function valid(schema, value) {
	const text = JSON.stringify(schema).replaceAll('"#/', '"doc#/')
	if (!validators.has(text)) validators.set(text, ajv.compile(JSON.parse(text)))
	const validate = validators.get(text)
	return validate(value) ? null : ajv.errorsText(validate.errors)
}

const operations = new Map()
for (const [path, item] of Object.entries(document.paths))
	for (const method of ['get', 'put', 'post', 'patch', 'delete'])
		if (item[method]) operations.set(item[method].operationId, { path, method: method.toUpperCase(), ...item[method] })

// ---- tokens ----

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

function token(user, { age = 0, lifetime = 900, secret = BETTER_AUTH_SECRET } = {}) {
	const now = Math.floor(Date.now() / 1000)
	const text = `${encode({ alg: 'HS256' })}.${encode({ sub: user, iss: BASE_URL, aud: BASE_URL, iat: now - age, exp: now - age + lifetime })}`
	return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

// ---- one question ----

// Headers that say something of their own, so that a description must name them.
const TELLING = ['etag', 'link', 'location', 'x-total-count', 'retry-after', 'www-authenticate', 'accept-patch', 'content-disposition', 'accept-ranges']

async function ask(operationId, status, { user = 'ada', as = user, id, query = '', headers = {}, body, type = 'application/json', method } = {}) {
	const operation = operations.get(operationId)
	const target = operation.path.replace('{user_id}', encodeURIComponent(user)).replace('{id}', id) + query
	const title = `${method ?? operation.method} ${target} as ${as} (${operationId})`
	const sent = { ...headers }
	if (as && !('Authorization' in sent)) sent.Authorization = `Bearer ${token(as)}`
	if (body !== undefined) sent['Content-Type'] = type
	const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
	// A server may want a length with a POST without a body.
	const answer = await fetch(BASE_URL + target, { method: method ?? operation.method, headers: sent, body: text ?? (operation.method === 'POST' ? '' : undefined) })
	const received = await answer.text()
	const complain = (what) => faults.push(`${title}: ${answer.status}: ${what}: ${received.slice(0, 300)}`)

	if (answer.status !== status) return complain(`not ${status}`)
	seen.add(`${operationId} ${status}`)
	const response = resolve(operation.responses[status])
	if (!response) return complain('a status that is not described')

	const declared = Object.fromEntries(Object.entries(response.headers ?? {}).map(([name, header]) => [name.toLowerCase(), resolve(header)]))
	for (const [name, header] of Object.entries(declared)) {
		const value = answer.headers.get(name)
		if (value === null) {
			if (header.required) complain(`${name} is missing`)
			continue
		}
		const error = valid(header.schema, header.schema.type === 'integer' ? Number(value) : value)
		if (error) complain(`${name}: ${error}`)
	}
	for (const name of TELLING) if (answer.headers.has(name) && !declared[name]) complain(`${name} is not described`)

	const media = (answer.headers.get('content-type') ?? '').split(';')[0]
	const content = response.content?.[media]
	if (!response.content) {
		if (received !== '' || media) complain('content where none is described')
		return received
	}
	if (!content) return complain(`${media || 'no content'} is not described`)
	if (method === 'HEAD') return null
	const value = media.endsWith('json') ? JSON.parse(received) : received
	const error = valid(content.schema, value)
	if (error) complain(error)
	if (body !== undefined && status < 300) {
		const schema = resolve(operation.requestBody)?.content?.[type]?.schema
		const refused = schema && valid(schema, typeof body === 'string' ? JSON.parse(body) : body)
		if (refused) complain(`the body that was taken is not as described: ${refused}`)
	}
	return { value, headers: answer.headers }
}

const task = { title: 'Buy milk', description: 'two\nlitres', completed: true, priority: 'high', due_date: '2026-06-30T12:00:00+02:00', tags: ['shop'] }
const missing = '0189f7a0-0000-7000-8000-00000000dead'
const onUsers = ['listTasks', 'createTask', 'clearTasks', 'getTask', 'replaceTask', 'patchTask', 'deleteTask', 'completeTask', 'exportData', 'eraseData']
const withId = ['getTask', 'replaceTask', 'patchTask', 'deleteTask', 'completeTask']
const withBody = { createTask: task, replaceTask: task, patchTask: { title: 'x' }, completeTask: { completed: true } }
const goodQuery = { clearTasks: '?status=completed' }
const base = (operationId) => ({ id: missing, query: goodQuery[operationId] ?? '', body: withBody[operationId] })

// ---- what is asked while the database is there ----

async function askWell() {
	await ask('health', 200, { as: null })
	await ask('ready', 200, { as: null })
	await ask('metrics', 200, { headers: { Authorization: `Bearer ${METRICS_TOKEN}` } })
	await ask('validateToken', 200)
	await ask('me', 200)

	const made = await ask('createTask', 201, { body: task })
	await ask('createTask', 201, { body: { title: 'plain' } })
	const id = made.value.id
	const tag = made.headers.get('etag')
	await ask('getTask', 200, { id })
	await ask('getTask', 200, { id, method: 'HEAD' })
	await ask('getTask', 304, { id, headers: { 'If-None-Match': tag } })
	await ask('listTasks', 200)
	await ask('listTasks', 200, { method: 'HEAD' })
	for (const sort of ['created', 'updated', 'title', 'due_date', 'priority']) {
		const page = await ask('listTasks', 200, { query: `?sort=${sort}&limit=1&count=exact&status=all` })
		const next = page.headers.get('link').match(/<[^?]*(\?.*)>/)[1]
		await ask('listTasks', 200, { query: next })
		// A cursor is of one order and one filter.
		await ask('listTasks', 400, { query: next.replace(`sort=${sort}`, `sort=${sort === 'title' ? 'created' : 'title'}`) })
		await ask('listTasks', 400, { query: next.replace('status=all', 'status=pending') })
	}
	await ask('listTasks', 200, { query: '?status=completed&priority=high&tag=shop&search=MILK&order=asc' })

	const placed = randomUUID()
	await ask('replaceTask', 201, { id: placed, body: task, headers: { 'If-None-Match': '*' } })
	await ask('replaceTask', 412, { id: placed, body: task, headers: { 'If-None-Match': '*' } })
	await ask('replaceTask', 200, { id: placed, body: { title: 'new' } })
	await ask('patchTask', 200, { id, body: { priority: null, due_date: null, tags: null }, type: 'application/merge-patch+json', headers: { 'If-Match': tag } })
	await ask('patchTask', 200, { id, body: {} })
	for (const operationId of ['replaceTask', 'patchTask', 'completeTask', 'deleteTask'])
		await ask(operationId, 412, { ...base(operationId), id, headers: { 'If-Match': tag } })
	await ask('completeTask', 200, { id, body: { completed: true } })
	await ask('completeTask', 200, { id })
	await ask('clearTasks', 200, { query: '?status=completed' })
	await ask('exportData', 200)
	await ask('exportData', 200, { method: 'HEAD' })
	await ask('deleteTask', 204, { id: placed })
	await ask('eraseData', 204, { headers: { 'X-Confirm-Erase': 'ada' } })
}

async function askBadly() {
	for (const operationId of onUsers) {
		const good = base(operationId)
		await ask(operationId, 401, { ...good, as: null })
		await ask(operationId, 401, { ...good, headers: { Authorization: `Bearer ${token('ada', { secret: 'x'.repeat(32) })}` } })
		await ask(operationId, 401, { ...good, headers: { Authorization: `Bearer ${token('ada', { age: 4000 })}` } })
		await ask(operationId, 400, { ...good, query: '?access_token=x' })
		await ask(operationId, 400, { ...good, query: '?nonsense=1', headers: operationId === 'eraseData' ? { 'X-Confirm-Erase': 'ada' } : {} })
		await ask(operationId, 403, { ...good, as: 'eve' })
		if (operations.get(operationId).method !== 'DELETE') await ask(operationId, 406, { ...good, headers: { Accept: 'text/html' } })
	}
	for (const operationId of withId) {
		await ask(operationId, 404, base(operationId))
		await ask(operationId, 404, { ...base(operationId), id: 'no-uuid' })
		await ask(operationId, 400, { ...base(operationId), headers: { [operationId === 'getTask' ? 'If-None-Match' : 'If-Match']: 'nonsense' } })
	}
	for (const operationId of Object.keys(withBody)) {
		const good = base(operationId)
		await ask(operationId, 415, { ...good, type: 'text/plain' })
		await ask(operationId, 413, { ...good, body: JSON.stringify({ title: 'x'.repeat(66000) }) })
		await ask(operationId, 400, { ...good, body: '{"title":' })
		for (const bad of [{}, [], { title: '', tags: 'x', priority: 7, due_date: 'now', id: missing }])
			if (!(operationId === 'patchTask' && !Array.isArray(bad) && !('title' in bad))) await ask(operationId, 422, { ...good, body: bad })
	}
	await ask('listTasks', 400, { query: '?cursor=nonsense' })
	for (const query of ['?limit=0', '?limit=1001', '?limit=x', '?sort=id', '?order=up', '?status=done', '?priority=urgent', '?count=1', '?tag=', `?search=${'x'.repeat(101)}`, '?limit=1&limit=1'])
		await ask('listTasks', 400, { query })
	await ask('clearTasks', 400)
	await ask('clearTasks', 400, { query: '?status=completed', headers: { 'If-Match': '*' } })
	await ask('eraseData', 428)
	await ask('eraseData', 401, { headers: { 'X-Confirm-Erase': 'ada', Authorization: `Bearer ${token('ada', { age: 600 })}` } })
	for (const operationId of ['validateToken', 'me']) {
		await ask(operationId, 401, { as: null })
		await ask(operationId, 401, { headers: { Authorization: `Bearer ${token('ada', { age: 4000 })}` } })
		await ask(operationId, 400, { query: '?access_token=x' })
	}
	await ask('metrics', 401, { as: null })
	await ask('metrics', 401)
	await ask('metrics', 400, { query: '?access_token=x' })

	// As many tasks as one user may have, and more questions than one may ask.
	for (let left = 20; left > 0; left--) await ask('createTask', 201, { user: 'full', body: { title: 't' } })
	await ask('createTask', 409, { user: 'full', body: { title: 't' } })
	await ask('replaceTask', 409, { user: 'full', id: randomUUID(), body: { title: 't' }, headers: { 'If-None-Match': '*' } })
}

async function askTooOften() {
	const impatient = `Bearer ${token('hasty')}`
	for (let left = 2000; left > 0; left--) {
		const answer = await fetch(`${BASE_URL}/auth/me`, { headers: { Authorization: impatient } })
		await answer.arrayBuffer()
		if (answer.status === 429) break
	}
	await ask('me', 429, { as: 'hasty' })
	await ask('listTasks', 429, { user: 'hasty' })
}

// ---- and while it is not ----

// Together, since each may take its time.
async function askInVain(status, operationIds = onUsers) {
	const confirmed = { headers: { 'X-Confirm-Erase': 'ada' } }
	await Promise.all(
		operationIds.map((operationId) => ask(operationId, status, { ...base(operationId), ...(operationId === 'eraseData' ? confirmed : {}) })),
	)
}

async function askWithoutDatabase() {
	await ask('health', 200, { as: null })
	await ask('ready', 503, { as: null })
	await ask('me', 200)
	await askInVain(503)
}

function expectAllSeen() {
	for (const [operationId, operation] of operations)
		for (const status of Object.keys(operation.responses)) {
			if (['429', '500', '503', '504'].includes(status) || seen.has(`${operationId} ${status}`)) continue
			if (operationId === 'metrics' && status === '404') continue
			// A cookie's Origin, which is judged where cookies are taken.
			if (['me', 'validateToken'].includes(operationId) && status === '403') continue
			faults.push(`${operationId}: ${status} was never seen`)
		}
}

switch (process.argv[2]) {
	case 'locked':
		await askInVain(504, ['listTasks', 'createTask', 'replaceTask', 'patchTask', 'exportData', 'eraseData'])
		break
	case 'broken':
		await askInVain(500)
		break
	case 'down':
		await askWithoutDatabase()
		break
	default:
		await askBadly()
		await askWell()
		await askTooOften()
		expectAllSeen()
}
if (faults.length > 0) {
	for (const fault of faults) console.error(fault)
	process.exit(1)
}
console.log(`${seen.size} kinds of answers are as described`)
