/* Strict JSON: the gate, cJSON behind it, and the check for duplicates. */
#include "base/json.h"

#include <math.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "base/word.h"

/* cJSON copies at most this many characters of a number before it reads them. */
enum { NUMBER_MAX = 63 };

/* ---- the gate: grammar, depth, escapes, numbers ------------------------- */

struct gate {
	const char *at;
	const char *end;
	uint32_t objects; /* bit n: the container at depth n is an object */
	unsigned int depth;
};

_Static_assert(JSON_MAX_DEPTH < 32, "struct gate has a bit for each depth");

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void skip_space(struct gate *gate)
{
	while (gate->at < gate->end && is_space(*gate->at))
		gate->at++;
}

static bool take(struct gate *gate, char c)
{
	if (gate->at == gate->end || *gate->at != c)
		return false;
	gate->at++;
	return true;
}

static bool take_word(struct gate *gate, struct view word)
{
	if (!view_starts((struct view){gate->at, (size_t)(gate->end - gate->at)}, word))
		return false;
	gate->at += word.len;
	return true;
}

/* The four digits after "\u". */
static bool take_hex4(struct gate *gate, unsigned int *ret)
{
	unsigned int unit = 0;

	if (gate->end - gate->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		int value = hex_value(*gate->at++);

		if (value < 0)
			return false;
		unit = unit << 4 | (unsigned int)value;
	}
	*ret = unit;
	return true;
}

/* What stands after "\u": no NUL, and surrogates only in pairs (RFC 7493 §2.1). */
static bool take_unicode_escape(struct gate *gate)
{
	unsigned int unit;

	if (!take_hex4(gate, &unit) || unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff))
		return false;
	if (unit < 0xd800 || unit > 0xdbff)
		return true;
	return take_word(gate, VIEW("\\u")) && take_hex4(gate, &unit) && unit >= 0xdc00 && unit <= 0xdfff;
}

static bool take_string(struct gate *gate)
{
	if (!take(gate, '"'))
		return false;
	for (;;) {
		gate->at += word_json_plain((struct view){gate->at, (size_t)(gate->end - gate->at)});
		if (take(gate, '"'))
			return true;
		if (!take(gate, '\\') || gate->at == gate->end)
			return false;
		char escape = *gate->at++;
		if (escape == 'u' ? !take_unicode_escape(gate) : escape == '\0' || !strchr("\"\\/bfnrt", escape))
			return false;
	}
}

static bool take_digits(struct gate *gate)
{
	const char *start = gate->at;

	while (gate->at < gate->end && is_digit(*gate->at))
		gate->at++;
	return gate->at > start;
}

static enum json_error take_number(struct gate *gate)
{
	const char *start = gate->at;
	bool has_exponent = false;

	take(gate, '-');
	if (!take(gate, '0') && !take_digits(gate))
		return JSON_MALFORMED;
	if (take(gate, '.') && !take_digits(gate))
		return JSON_MALFORMED;
	if (take(gate, 'e') || take(gate, 'E')) {
		has_exponent = true;
		if (!take(gate, '+'))
			take(gate, '-');
		if (!take_digits(gate))
			return JSON_MALFORMED;
	}

	size_t len = (size_t)(gate->at - start);
	if (len > NUMBER_MAX)
		return JSON_TOO_COMPLEX;
	/* So few digits are finite by themselves. */
	if (!has_exponent)
		return JSON_OK;
	char copy[NUMBER_MAX + 1];
	char *stop;
	memcpy(copy, start, len);
	copy[len] = '\0';
	/* In a locale whose decimal point is another, strtod stops early. */
	return isfinite(strtod(copy, &stop)) && stop == copy + len ? JSON_OK : JSON_MALFORMED;
}

/* A value that is no container, or the opening of one that has elements, which
 * sets *ret_opened: the next thing is its first element. */
static enum json_error take_value(struct gate *gate, bool *ret_opened)
{
	char first = gate->at < gate->end ? *gate->at : '\0';

	*ret_opened = false;
	switch (first) {
	case '"':
		return take_string(gate) ? JSON_OK : JSON_MALFORMED;
	case 't':
		return take_word(gate, VIEW("true")) ? JSON_OK : JSON_MALFORMED;
	case 'f':
		return take_word(gate, VIEW("false")) ? JSON_OK : JSON_MALFORMED;
	case 'n':
		return take_word(gate, VIEW("null")) ? JSON_OK : JSON_MALFORMED;
	case '[':
	case '{':
		break;
	default:
		return take_number(gate);
	}

	if (gate->depth == JSON_MAX_DEPTH)
		return JSON_TOO_COMPLEX;
	gate->at++;
	skip_space(gate);
	if (take(gate, first == '{' ? '}' : ']'))
		return JSON_OK;
	uint32_t bit = UINT32_C(1) << gate->depth++;
	gate->objects = first == '{' ? gate->objects | bit : gate->objects & ~bit;
	*ret_opened = true;
	return JSON_OK;
}

static bool in_object(const struct gate *gate)
{
	return gate->depth > 0 && (gate->objects >> (gate->depth - 1) & 1);
}

static bool take_name(struct gate *gate)
{
	if (!take_string(gate))
		return false;
	skip_space(gate);
	if (!take(gate, ':'))
		return false;
	skip_space(gate);
	return true;
}

/* After a value: closes what ends here. True with a comma taken when another
 * element follows, or when the whole text's value is complete (depth 0). */
static bool take_separator(struct gate *gate)
{
	for (;;) {
		skip_space(gate);
		if (gate->depth == 0)
			return true;
		if (take(gate, ',')) {
			skip_space(gate);
			return true;
		}
		if (!take(gate, in_object(gate) ? '}' : ']'))
			return false;
		gate->depth--;
	}
}

static enum json_error gate_check(struct view text)
{
	struct gate gate = {.at = text.ptr, .end = text.ptr + text.len};

	skip_space(&gate);
	do {
		bool opened;

		if (in_object(&gate) && !take_name(&gate))
			return JSON_MALFORMED;
		enum json_error error = take_value(&gate, &opened);
		if (error != JSON_OK)
			return error;
		if (!opened && !take_separator(&gate))
			return JSON_MALFORMED;
	} while (gate.depth > 0);
	return gate.at == gate.end ? JSON_OK : JSON_MALFORMED;
}

/* ---- cJSON, with its memory from the arena ------------------------------ */

/* cJSON's hooks take no argument of ours. */
static struct arena *hook_arena;
static bool hook_failed;

static void *hook_malloc(size_t size)
{
	void *memory = arena_alloc(hook_arena, size);

	hook_failed |= memory == NULL;
	return memory;
}

static void hook_free(void *memory)
{
	(void)memory;
}

static enum json_error tree_make(struct arena *arena, struct view text, const cJSON **ret)
{
	cJSON_Hooks hooks = {.malloc_fn = hook_malloc, .free_fn = hook_free};
	const char *end = NULL;

	hook_arena = arena;
	hook_failed = false;
	cJSON_InitHooks(&hooks);
	const cJSON *tree = cJSON_ParseWithLengthOpts(text.ptr, text.len, &end, false);
	cJSON_InitHooks(NULL);
	hook_arena = NULL;

	if (!tree)
		return hook_failed ? JSON_NO_MEMORY : JSON_MALFORMED;
	/* cJSON must have read the value to the same end as the gate. */
	while (end < text.ptr + text.len && is_space(*end))
		end++;
	if (end != text.ptr + text.len)
		return JSON_MALFORMED;
	*ret = tree;
	return JSON_OK;
}

/* ---- members of one name ------------------------------------------------ */

/* Up to so many members, comparing each with each is the fastest. */
enum { MEMBERS_FEW = 8, MEMBER_SLOTS = 2 * JSON_MAX_MEMBERS };

_Static_assert((MEMBER_SLOTS & (MEMBER_SLOTS - 1)) == 0, "a hash is cut by a mask");

static bool few_members_differ(const cJSON *first)
{
	for (const cJSON *a = first; a; a = a->next) {
		for (const cJSON *b = a->next; b; b = b->next) {
			if (strcmp(a->string, b->string) == 0)
				return false;
		}
	}
	return true;
}

/* The names are at most JSON_MAX_MEMBERS, so half of the slots stay free. */
static bool many_members_differ(const cJSON *first)
{
	const char *slots[MEMBER_SLOTS] = {NULL};

	for (const cJSON *member = first; member; member = member->next) {
		uint32_t hash = 2166136261; /* FNV-1a */

		for (const char *c = member->string; *c; c++)
			hash = (hash ^ (unsigned char)*c) * 16777619;
		hash ^= hash >> 16;
		size_t slot = hash & (MEMBER_SLOTS - 1);
		for (; slots[slot]; slot = (slot + 1) & (MEMBER_SLOTS - 1)) {
			if (strcmp(slots[slot], member->string) == 0)
				return false;
		}
		slots[slot] = member->string;
	}
	return true;
}

static enum json_error members_check(const cJSON *object)
{
	size_t count = 0;

	for (const cJSON *member = object->child; member; member = member->next) {
		if (++count > JSON_MAX_MEMBERS)
			return JSON_TOO_COMPLEX;
	}
	bool differ = count <= MEMBERS_FEW ? few_members_differ(object->child) : many_members_differ(object->child);
	return differ ? JSON_OK : JSON_DUPLICATE;
}

static enum json_error tree_check(const cJSON *tree)
{
	const cJSON *after[JSON_MAX_DEPTH]; /* where to go on when a container is done */
	size_t depth = 0;
	const cJSON *node = tree;

	for (;;) {
		if (cJSON_IsObject(node)) {
			enum json_error error = members_check(node);

			if (error != JSON_OK)
				return error;
		}
		if (node->child) {
			after[depth++] = node->next;
			node = node->child;
			continue;
		}
		node = node->next;
		while (!node) {
			if (depth == 0)
				return JSON_OK;
			node = after[--depth];
		}
	}
}

enum json_error json_parse(struct arena *arena, struct view text, const cJSON **ret)
{
	const cJSON *tree = NULL;

	if (text.len == 0 || !utf8_valid(text))
		return JSON_MALFORMED;
	enum json_error error = gate_check(text);
	if (error == JSON_OK)
		error = tree_make(arena, text, &tree);
	if (error == JSON_OK)
		error = tree_check(tree);
	if (error == JSON_OK)
		*ret = tree;
	return error;
}

/* ---- reading the tree --------------------------------------------------- */

const cJSON *json_member(const cJSON *object, const char *name)
{
	/* cJSON_GetObjectItemCaseSensitive(), but that it compares every name to its end: most differ in their first
	 * byte. */
	const cJSON *member = cJSON_IsObject(object) ? object->child : NULL;

	while (member && (*member->string != *name || strcmp(member->string, name) != 0))
		member = member->next;
	return member;
}

struct view json_text(const cJSON *node)
{
	return cJSON_IsString(node) ? view_of(node->valuestring) : ABSENT;
}

struct view json_member_text(const cJSON *object, const char *name)
{
	return json_text(json_member(object, name));
}

bool json_to_integer(const cJSON *node, int64_t *ret)
{
	/* 2^53 itself is also what 2^53 + 1 is read as. */
	const double limit = 9007199254740991.0;

	if (!cJSON_IsNumber(node))
		return false;
	double number = node->valuedouble;
	if (!(number >= -limit && number <= limit) || number != (double)(int64_t)number)
		return false;
	*ret = (int64_t)number;
	return true;
}
