/* Settings: collected from their sources, checked, and kept. */
#include "base/config.h"

#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/dotenv.h"
#include "base/private.h"
#include "base/utf8.h"

enum { FILE_MAX = 64 * 1024, ARENA_MAX = 512 * 1024 };

enum kind { KIND_TEXT, KIND_SECRET, KIND_LIST, KIND_NUMBER, KIND_SWITCH, KIND_CHOICE };

struct row {
	struct view name;
	struct view standard;
	struct view help;
	int64_t low;
	int64_t high;
	size_t offset; /* in struct config */
	enum kind kind;
};

static const struct row ROWS[] = {
#define SETTING(NAME, member, KIND, standard, low, high, help) \
	{VIEW(#NAME), VIEW(standard), VIEW(help), low, high, offsetof(struct config, member), KIND_##KIND},
#include "base/config.def"
#undef SETTING
};

enum { ROW_COUNT = sizeof(ROWS) / sizeof(ROWS[0]) };

/* Names that look like ours but may stand in the environment only. */
static const struct view WORKERS = VIEW("WORKERS");
static const struct view ENV_FILE = VIEW("TODO_ENV_FILE");
/* What a web server tells a CGI program (RFC 3875 §4.1.1). */
static const struct view CGI_AUTH_TYPE = VIEW("AUTH_TYPE");
static const struct view FILE_SUFFIX = VIEW("_FILE");

/* Where a value was found, for error lines. */
struct place {
	struct view file; /* ABSENT: the environment */
	size_t line;      /* 0: the whole file */
};

struct found {
	struct view value; /* ABSENT: not found */
	struct place place;
};

struct reading {
	const struct config_source *source;
	struct watch *watch; /* NULL: nobody asks */
	struct buf *error;
	struct arena arena;
	struct found values[ROW_COUNT];
	struct found files[ROW_COUNT]; /* of NAME_FILE */
};

/* ---- error lines -------------------------------------------------------- */

/* A name is printed as far as it looks like one: what follows in a broken line
 * may be a secret. */
static void add_name(struct buf *error, struct view name)
{
	size_t len = 0;

	while (len < name.len && len < 64 &&
	       ((name.ptr[len] >= 'A' && name.ptr[len] <= 'Z') || (name.ptr[len] >= 'a' && name.ptr[len] <= 'z') ||
	        (name.ptr[len] >= '0' && name.ptr[len] <= '9') || name.ptr[len] == '_'))
		len++;
	buf_add(error, (struct view){name.ptr, len});
}

static void begin_line(struct buf *error, struct view name, struct place place)
{
	const size_t path_max = 1024;

	add_name(error, name);
	BUF_LIT(error, " (");
	if (view_is_absent(place.file))
		BUF_LIT(error, "environment");
	else
		buf_add(error, (struct view){place.file.ptr, place.file.len < path_max ? place.file.len : path_max});
	if (place.line > 0) {
		BUF_LIT(error, ":");
		buf_add_u64(error, place.line);
	}
	BUF_LIT(error, "): ");
}

/* Writes one error line; returns false for the caller to return. */
static bool refuse(struct buf *error, struct view name, struct place place, const char *text)
{
	begin_line(error, name, place);
	buf_add(error, view_of(text));
	return false;
}

static bool refuse_file(struct buf *error, struct view name, struct place place, enum private_error fault)
{
	begin_line(error, name, place);
	BUF_LIT(error, "the file ");
	buf_add(error, view_of(private_error_text(fault)));
	return false;
}

static bool refuse_range(struct buf *error, const struct found *found, const struct row *row)
{
	begin_line(error, row->name, found->place);
	buf_add(error, row->kind == KIND_NUMBER ? VIEW("must be a whole number from ") : VIEW("must have "));
	buf_add_u64(error, (uint64_t)row->low);
	BUF_LIT(error, " to ");
	buf_add_u64(error, (uint64_t)row->high);
	if (row->kind != KIND_NUMBER)
		BUF_LIT(error, " bytes");
	return false;
}

/* ---- the sources -------------------------------------------------------- */

static struct found *slot_of(struct reading *reading, struct view name)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *row = &ROWS[i];

		if (!view_starts(name, row->name))
			continue;
		struct view rest = view_from(name, row->name.len);
		if (rest.len == 0)
			return &reading->values[i];
		if (row->kind == KIND_SECRET && view_equal(rest, FILE_SUFFIX))
			return &reading->files[i];
	}
	return NULL;
}

static bool has_our_prefix(struct view name)
{
	return view_starts(name, VIEW("JWT_")) || view_starts(name, VIEW("JWKS_")) ||
	       view_starts(name, VIEW("TODO_")) || view_starts(name, VIEW("AUTH_"));
}

/* Cuts "NAME=value". */
static struct view cut_variable(const char *variable, struct view *ret_value)
{
	struct view rest = view_of(variable);
	struct view name = view_cut(&rest, '=');

	*ret_value = rest;
	return name;
}

/* As getenv(3); ABSENT also for an empty value. */
static struct view find_variable(char *const *environment, struct view name)
{
	for (char *const *variable = environment; *variable; variable++) {
		struct view value;

		if (view_equal(cut_variable(*variable, &value), name))
			return value.len > 0 ? value : ABSENT;
	}
	return ABSENT;
}

static bool read_environment(struct reading *reading)
{
	const struct place place = {ABSENT, 0};

	for (char *const *variable = reading->source->environment; *variable; variable++) {
		struct view value;
		struct view name = cut_variable(*variable, &value);
		struct found *slot = slot_of(reading, name);

		if (slot && !view_is_absent(value) && view_is_absent(slot->value))
			*slot = (struct found){value, place};
		else if (!slot && has_our_prefix(name) && !view_equal(name, ENV_FILE) &&
		         !view_equal(name, CGI_AUTH_TYPE))
			return refuse(reading->error, name, place, "no such setting");
	}
	return true;
}

static bool take_entry(struct reading *reading, const struct dotenv_entry *entry, struct view path)
{
	struct found *slot = slot_of(reading, entry->name);
	struct place place = {path, entry->line};

	if (view_equal(entry->name, WORKERS) || view_equal(entry->name, ENV_FILE))
		return refuse(reading->error, entry->name, place, "is read from the environment only");
	if (!slot && !has_our_prefix(entry->name))
		return true;
	if (!slot)
		return refuse(reading->error, entry->name, place, "no such setting");
	if (entry->fault != DOTENV_OK)
		return refuse(reading->error, entry->name, place, dotenv_fault_text(entry->fault));
	/* The environment wins; within the file the last line does. */
	if (view_is_absent(slot->value) || !view_is_absent(slot->place.file))
		*slot = (struct found){entry->value, place};
	return true;
}

/* The settings file's path in the arena; ABSENT when this user has no home. */
static bool find_file(struct reading *reading, bool *ret_chosen, struct view *ret)
{
	struct view path = find_variable(reading->source->environment, ENV_FILE);
	const struct passwd *user;
	struct buf text = buf_make(4096);

	*ret_chosen = !view_is_absent(path);
	if (*ret_chosen) {
		buf_add(&text, path);
	} else {
		user = getpwuid(geteuid());
		if (!user || !user->pw_dir || !*user->pw_dir) {
			*ret = ABSENT;
			return true;
		}
		buf_add(&text, view_of(user->pw_dir));
		BUF_LIT(&text, "/.config/todo-fcgi/env");
	}
	const char *copy = buf_ok(&text) ? arena_string(&reading->arena, buf_view(&text)) : NULL;
	buf_destroy(&text);
	*ret = view_of(copy);
	return copy || refuse(reading->error, ENV_FILE, (struct place){ABSENT, 0}, "the path is too long");
}

/* Before it is read, so that a change in between is seen. */
static bool note_file(struct reading *reading, const char *path)
{
	if (!reading->watch || watch_add(reading->watch, path))
		return true;
	BUF_LIT(reading->error, "settings: no memory");
	return false;
}

static bool read_file(struct reading *reading)
{
	bool chosen;
	struct view path;
	char *text;
	size_t len;
	struct dotenv_entry entry;

	if (!find_file(reading, &chosen, &path))
		return false;
	if (view_is_absent(path))
		return true;
	if (!note_file(reading, path.ptr))
		return false;
	enum private_error fault =
	        private_read(&reading->arena, path.ptr, reading->source->document_root, FILE_MAX, &text, &len);
	if (fault == PRIVATE_MISSING && !chosen)
		return true;
	if (fault != PRIVATE_OK)
		return refuse_file(reading->error, chosen ? ENV_FILE : VIEW("settings"), (struct place){path, 0},
		                   fault);

	struct dotenv dotenv = dotenv_open(text, len);
	while (dotenv_next(&dotenv, &entry)) {
		if (!take_entry(reading, &entry, path))
			return false;
	}
	return true;
}

/* Puts what NAME_FILE points to in the place of NAME. */
static bool read_secret(struct reading *reading, size_t i)
{
	struct found *file = &reading->files[i];
	struct found *value = &reading->values[i];
	char name_text[80];
	char *text;
	size_t len;

	if (file->value.len == 0)
		return true;
	int name_len = snprintf(name_text, sizeof(name_text), "%s_FILE", ROWS[i].name.ptr);
	struct view name = {name_text, (size_t)name_len};
	if (value->value.len > 0)
		return refuse(reading->error, name, file->place, "the same setting is also given without _FILE");
	const char *path = arena_string(&reading->arena, file->value);
	if (!path || strlen(path) != file->value.len)
		return refuse_file(reading->error, name, file->place, PRIVATE_UNREADABLE);
	if (!note_file(reading, path))
		return false;
	enum private_error fault = private_read(&reading->arena, path, reading->source->document_root,
	                                        (size_t)ROWS[i].high + 2, &text, &len);
	if (fault != PRIVATE_OK)
		return refuse_file(reading->error, name, file->place, fault);
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	if (len == 0)
		return refuse(reading->error, name, file->place, "the file is empty");
	*value = (struct found){{text, len}, {view_of(path), 0}};
	return true;
}

/* ---- checking values ---------------------------------------------------- */

static bool read_switch(struct view value, bool *ret)
{
	static const struct view words[2][4] = {
	        {VIEW("0"), VIEW("false"), VIEW("off"), VIEW("no")},
	        {VIEW("1"), VIEW("true"), VIEW("on"), VIEW("yes")},
	};

	for (size_t i = 0; i < 8; i++) {
		if (view_equal_nocase(value, words[i / 4][i % 4])) {
			*ret = i / 4 == 1;
			return true;
		}
	}
	return false;
}

static struct view choice_words(const struct row *row)
{
	struct view help = row->help;

	return view_cut(&help, ':');
}

static bool is_choice(const struct row *row, struct view value)
{
	for (struct view words = choice_words(row); !view_is_absent(words);) {
		if (view_equal(view_cut(&words, '|'), value))
			return true;
	}
	return false;
}

static bool is_text(const struct row *row)
{
	return row->kind != KIND_NUMBER && row->kind != KIND_SWITCH;
}

static void *member_of(struct config *config, const struct row *row)
{
	return (char *)config + row->offset;
}

static bool store_text(struct buf *error, const struct row *row, const struct found *found, struct config *config)
{
	struct view value = found->value;

	if (!utf8_valid(value) || view_has_control(value))
		return refuse(error, row->name, found->place, "must be UTF-8 without control characters");
	if (value.len < (size_t)row->low || value.len > (size_t)row->high)
		return refuse_range(error, found, row);
	if (row->kind == KIND_CHOICE && !is_choice(row, value)) {
		refuse(error, row->name, found->place, "must be one of ");
		buf_add(error, choice_words(row));
		return false;
	}
	*(struct view *)member_of(config, row) = value;
	return true;
}

static bool store(struct buf *error, const struct row *row, struct found found, struct config *config)
{
	uint64_t number;

	/* An empty value is as good as none. */
	if (found.value.len == 0)
		found.value = row->standard;
	if (is_text(row) && found.value.len == 0) {
		*(struct view *)member_of(config, row) = ABSENT;
		return true;
	}
	if (is_text(row))
		return store_text(error, row, &found, config);
	if (row->kind == KIND_SWITCH)
		return read_switch(found.value, member_of(config, row)) ||
		       refuse(error, row->name, found.place, "must be on or off");
	if (!view_to_u64(found.value, (uint64_t)row->high, &number) || (int64_t)number < row->low)
		return refuse_range(error, &found, row);
	*(int64_t *)member_of(config, row) = (int64_t)number;
	return true;
}

/* ---- keeping them ------------------------------------------------------- */

/* Texts of all configurations that were loaded and not released: the list keeps
 * them reachable for whoever leaves that to the end of the process. */
struct config_texts {
	struct config_texts *next;
	size_t size;
	char text[];
};

static struct config_texts *texts_first;

/* Copies all texts out of the sources, each with a NUL behind it. */
static bool keep_texts(struct config *config)
{
	size_t total = 0;

	for (size_t i = 0; i < ROW_COUNT; i++)
		total += is_text(&ROWS[i]) ? ((struct view *)member_of(config, &ROWS[i]))->len + 1 : 0;
	struct config_texts *texts = calloc(1, sizeof(*texts) + total);
	if (!texts)
		return false;
	char *at = texts->text;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		struct view *text = is_text(&ROWS[i]) ? member_of(config, &ROWS[i]) : NULL;

		if (!text || view_is_absent(*text))
			continue;
		memcpy(at, text->ptr, text->len);
		text->ptr = at;
		at += text->len + 1;
	}
	texts->size = total;
	texts->next = texts_first;
	texts_first = texts;
	config->texts = texts;
	return true;
}

void config_release(struct config *config)
{
	struct config_texts **link = &texts_first;

	while (*link && *link != config->texts)
		link = &(*link)->next;
	if (*link) {
		*link = config->texts->next;
		explicit_bzero(config->texts->text, config->texts->size);
		free(config->texts);
	}
	*config = (struct config){0};
}

static bool is_equal(const struct row *row, struct config *a, struct config *b)
{
	if (is_text(row))
		return view_equal(*(struct view *)member_of(a, row), *(struct view *)member_of(b, row));
	if (row->kind == KIND_SWITCH)
		return *(bool *)member_of(a, row) == *(bool *)member_of(b, row);
	return *(int64_t *)member_of(a, row) == *(int64_t *)member_of(b, row);
}

bool config_equal(const struct config *a, const struct config *b)
{
	struct config one = *a;
	struct config other = *b;

	for (size_t i = 0; i < ROW_COUNT; i++)
		if (!is_equal(&ROWS[i], &one, &other))
			return false;
	return true;
}

bool config_with_secrets(const struct config *config, const struct config *secrets, struct config *ret)
{
	struct config merged = *config;
	struct config source = *secrets;

	for (size_t i = 0; i < ROW_COUNT; i++)
		if (ROWS[i].kind == KIND_SECRET)
			*(struct view *)member_of(&merged, &ROWS[i]) = *(struct view *)member_of(&source, &ROWS[i]);
	merged.better_auth_previous_secrets_until = secrets->better_auth_previous_secrets_until;
	if (!keep_texts(&merged))
		return false;
	*ret = merged;
	return true;
}

static bool read_all(struct reading *reading, struct config *ret)
{
	struct config config;

	if (!read_environment(reading) || !read_file(reading))
		return false;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (!read_secret(reading, i) || !store(reading->error, &ROWS[i], reading->values[i], &config))
			return false;
	}
	if (!keep_texts(&config)) {
		BUF_LIT(reading->error, "settings: no memory");
		return false;
	}
	*ret = config;
	return true;
}

bool config_load(const struct config_source *source, struct config *ret, struct buf *error)
{
	return config_load_files(source, NULL, ret, error);
}

bool config_load_files(const struct config_source *source, struct watch *files, struct config *ret, struct buf *error)
{
	struct reading reading = {.source = source, .watch = files, .error = error};

	if (!arena_init(&reading.arena, ARENA_MAX)) {
		BUF_LIT(error, "settings: no memory");
		return false;
	}
	bool loaded = read_all(&reading, ret);
	arena_destroy(&reading.arena);
	return loaded;
}

bool config_workers(char *const *environment, int64_t *ret, struct buf *error)
{
	struct view value = find_variable(environment, WORKERS);
	uint64_t number = 0;

	if (!view_is_absent(value) && !view_to_u64(value, CONFIG_WORKERS_MAX, &number))
		return refuse(error, WORKERS, (struct place){ABSENT, 0}, "must be a whole number from 0 to 128");
	*ret = (int64_t)number;
	return true;
}

/* ---- the sample --------------------------------------------------------- */

void config_write_sample(struct buf *out)
{
	BUF_LIT(out, "# Settings of todo-fcgi. Every line that is commented out shows its default.\n"
	             "# The file must belong to the user of the programs or to root, and be\n"
	             "# readable by nobody else. The environment wins over it.\n");
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *row = &ROWS[i];

		BUF_LIT(out, "\n# ");
		buf_add(out, row->help);
		if (row->kind == KIND_NUMBER) {
			BUF_LIT(out, " (");
			buf_add_u64(out, (uint64_t)row->low);
			BUF_LIT(out, " to ");
			buf_add_u64(out, (uint64_t)row->high);
			BUF_LIT(out, ")");
		}
		if (row->kind == KIND_SECRET) {
			BUF_LIT(out, "\n# (or the path of a file that holds it, in ");
			buf_add(out, row->name);
			BUF_LIT(out, "_FILE)");
		}
		BUF_LIT(out, "\n#");
		buf_add(out, row->name);
		BUF_LIT(out, "=");
		buf_add(out, row->standard);
		BUF_LIT(out, "\n");
	}
	BUF_LIT(out, "\n# From the environment only: WORKERS (processes that share one socket, 0 to 128;\n"
	             "# 0 forks none) and TODO_ENV_FILE (the path of a file like this one).\n");
}

/* ---- telling them ------------------------------------------------------- */

/* The text without what stands between "://" and the last "@" of an authority. A
 * proxy may be named without a scheme: what has a ":" before its "@" is one. */
static void write_public(struct buf *out, struct view text)
{
	const char *scheme = text.len > 0 ? memmem(text.ptr, text.len, "://", 3) : NULL;
	struct view rest = scheme ? view_from(text, (size_t)(scheme - text.ptr) + 3) : text;
	size_t end = view_find(rest, '/');
	size_t at = end;

	while (at > 0 && rest.ptr[at - 1] != '@')
		at--;
	if (at == 0 || (!scheme && view_find((struct view){rest.ptr, at}, ':') == at)) {
		buf_add(out, text);
		return;
	}
	buf_add(out, (struct view){text.ptr, text.len - rest.len});
	BUF_LIT(out, "********");
	buf_add(out, view_from(rest, at - 1));
}

static void write_value(struct buf *out, const struct row *row, struct config *config)
{
	struct view text = is_text(row) ? *(struct view *)member_of(config, row) : ABSENT;

	if (row->kind == KIND_SWITCH)
		buf_add(out, *(bool *)member_of(config, row) ? VIEW("on") : VIEW("off"));
	else if (row->kind == KIND_NUMBER)
		buf_add_u64(out, (uint64_t) * (int64_t *)member_of(config, row));
	else if (row->kind == KIND_SECRET)
		buf_add(out, text.len > 0 ? VIEW("********") : VIEW(""));
	else
		write_public(out, text);
}

void config_write(const struct config *config, struct buf *out)
{
	struct config read = *config;
	struct config standard = {0};

	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (!store(out, &ROWS[i], (struct found){0}, &standard))
			return;
		buf_add(out, ROWS[i].name);
		buf_add_char(out, '=');
		write_value(out, &ROWS[i], &read);
		if (is_equal(&ROWS[i], &read, &standard))
			BUF_LIT(out, " (default)");
		buf_add_char(out, '\n');
	}
}

void config_write_help(struct buf *out)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		BUF_LIT(out, "  ");
		buf_add(out, ROWS[i].name);
		if (ROWS[i].standard.len > 0) {
			BUF_LIT(out, " (");
			buf_add(out, ROWS[i].standard);
			BUF_LIT(out, ")");
		}
		BUF_LIT(out, "\n      ");
		buf_add(out, ROWS[i].help);
		buf_add_char(out, '\n');
	}
}
