/* What a program makes of the descriptors it is started with, and what it keeps
 * of a request that is over. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/request.h"
#include "support/api.h"
#include "support/auth_folder.h"
#include "support/fastcgi.h"
#include "support/postgres.h"

POSTGRES_FOR_ALL_TESTS
TestSuite(process, .fini = api_end, .timeout = 240);

#define LIST "/api/anna/tasks"

/* Starts the program through a shell that does this to its descriptors first. */
static struct responder *start_with(const struct auth_folder *folder, const char *program, const char *redirections,
                                    const char *const more[])
{
	const char *script = ask_format("#!/bin/sh\nexec '%s' %s\n", responder_program(program), redirections);
	return responder_start_file(auth_folder_write(folder, "start", view_of(script), 0700), api_settings(more));
}

/* What the descriptor of that number is; "" for none. */
static const char *descriptor(const struct responder *responder, int number)
{
	char place[256] = "";
	const char *link = ask_format("/proc/%d/fd/%d", (int)responder_pid(responder), number);
	ssize_t len = readlink(link, place, sizeof place - 1);
	return ask_keep((struct view){place, len > 0 ? (size_t)len : 0});
}

/* FastCGI promises no more than descriptor 0. Were the others left free, a
 * connection to the database would get one of their numbers, and the log with it. */
Test(process, no_file_of_its_own_takes_the_place_of_a_closed_standard_descriptor)
{
	responder_needs_sight();
	struct auth_folder folder = auth_folder_make();
	struct responder *health = start_with(&folder, "health", ">&- 2>&-", (const char *const[]){NULL});
	struct ask ask = {.target = "/health"};
	cr_expect_eq(responder_ask(health, &ask)->status, 200);
	cr_expect_str_eq(descriptor(health, STDOUT_FILENO), "/dev/null");
	cr_expect_str_eq(descriptor(health, STDERR_FILENO), "/dev/null");
	auth_folder_remove(&folder);
}

/* ---- the environment ---- */

struct environment {
	const struct responder *responder;
	const char *name;
};

/* The environment that the process was given at its last execve(2) has that name. */
static bool holds_variable(const struct environment *environment)
{
	static char text[64 * 1024];
	int fd = open(ask_format("/proc/%d/environ", (int)responder_pid(environment->responder)), O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof text) : -1;
	close(fd);
	cr_assert(len >= 0 && (size_t)len < sizeof text);
	/* In the midst of execve(2) there is nothing to read, which tells nothing yet. */
	if (len == 0)
		return true;
	for (struct view rest = {text, (size_t)len}; rest.len > 0;)
		if (view_starts(view_cut(&rest, '\0'), view_of(ask_format("%s=", environment->name))))
			return true;
	return false;
}

static bool has_lost_it(void *context)
{
	return !holds_variable(context);
}

/* A web server makes HTTP_PROXY of a request's header Proxy, and under plain CGI that is the environment. What a
 * program drops at its start is missing in the one that takes its place at HUP. */
Test(process, drops_whatever_would_steer_its_connections)
{
	responder_needs_sight();
	static const char *const names[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",  "ALL_PROXY",
	                                    "all_proxy",  "NO_PROXY",   "no_proxy",    "SSLKEYLOGFILE"};
	static const char *const programs[] = {"health", "auth", "tasks", "account"};
	const char *more[16] = {"WORKERS=1"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		more[1 + i] = ask_format("%s=http://127.0.0.1:1", names[i]);
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
		struct responder *responder = responder_start(programs[i], api_settings(more));
		struct ask ask = {.target = "/nothing"};
		expect_problem(responder_ask(responder, &ask), 404, "not_found", programs[i]);
		cr_assert_eq(kill(responder_pid(responder), SIGHUP), 0);
		for (size_t j = 0; j < sizeof names / sizeof *names; j++) {
			struct environment environment = {responder, names[j]};
			until(has_lost_it, &environment, ask_format("%s drops %s", programs[i], names[j]));
		}
		cr_expect(holds_variable(&(struct environment){responder, "BETTER_AUTH_SECRET"}), "and no more");
		expect_problem(responder_ask(responder, &ask), 404, "not_found", programs[i]);
	}
}

/* Zones, languages and formats belong to whoever started it; libpq hands some of them
 * on to the server at each login, where no address can say otherwise. */
Test(process, no_zone_language_or_format_of_its_environment_changes_an_answer)
{
	static const char *const careless[] = {
	        "TZ=Asia/Kathmandu",
	        "LC_ALL=tr_TR.UTF-8",
	        "LANG=de_DE.ISO-8859-1",
	        "PGTZ=Asia/Kathmandu",
	        "PGDATESTYLE=German, DMY",
	        "PGCLIENTENCODING=LATIN1",
	        "PGGEQO=off",
	        "PGAPPNAME=other",
	        "PGCONNECT_TIMEOUT=1",
	        "PGGSSENCMODE=prefer",
	        "PGPASSFILE=/dev/null",
	        "PGSYSCONFDIR=/nowhere",
	        "PGLOCALEDIR=/nowhere",
	        "PGTARGETSESSIONATTRS=any",
	        "PGUSER=postgres",
	        "HOME=/nowhere",
	        "TMPDIR=/nowhere",
	        ("PGOPTIONS=-c search_path=pg_temp,public -c timezone=Asia/Kathmandu -c intervalstyle=sql_standard"
	         " -c bytea_output=escape -c extra_float_digits=-15 -c todo.user_id=berta"),
	};
	const char *settings[32] = {ask_format("DATABASE_URL=%s", api_database(api_name("process")))};
	struct ask create = {.method = "POST", .target = LIST, .token = api_token("anna")};
	create.body =
	        "{\"title\":\"I\u0307\u20ac\",\"due_date\":\"2026-03-29T02:30:00.25+02:00\",\"tags\":[\"\u00e9\"]}";
	const struct ask list = {.target = LIST, .token = api_token("anna")};
	struct responder *plain = responder_start("tasks", api_settings(settings));
	for (size_t i = 0; i < sizeof careless / sizeof *careless; i++)
		settings[1 + i] = careless[i];
	struct responder *steered = responder_start("tasks", api_settings(settings));
	cr_expect_eq(responder_ask(plain, &create)->status, 201);
	cr_expect_eq(responder_ask(steered, &create)->status, 201);
	const struct answer *one = responder_ask(plain, &list);
	const struct answer *other = responder_ask(steered, &list);
	cr_expect(view_equal(one->body, other->body), "%.*s\n%.*s", VIEW_ARGS(one->body), VIEW_ARGS(other->body));
	const char *due = "\"due_date\":\"2026-03-29T00:30:00.250000Z\"";
	const char *first = memmem(other->body.ptr, other->body.len, due, strlen(due));
	cr_assert_not_null(first, "%.*s", VIEW_ARGS(other->body));
	struct view rest = view_from(other->body, (size_t)(first - other->body.ptr) + 1);
	cr_expect_not_null(memmem(rest.ptr, rest.len, due, strlen(due)), "%.*s", VIEW_ARGS(other->body));
}

Test(process, whatever_mask_it_is_started_with_its_files_are_for_its_user_alone)
{
	static const char *const masks[] = {"000", "777"};
	for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
		struct auth_folder folder = auth_folder_make();
		struct stat found;
		const char *script =
		        ask_format("#!/bin/sh\numask %s\nexec '%s'\n", masks[i], responder_program("health"));
		const char *const more[] = {ask_format("STATE_DIR=%s/state", folder.path), NULL};
		struct responder *health = responder_start_file(
		        auth_folder_write(&folder, "start", view_of(script), 0700), api_settings(more));
		cr_expect_eq(responder_ask(health, &(struct ask){.target = "/ready"})->status, 503);
		cr_assert_eq(fstatat(folder.fd, "state", &found, AT_SYMLINK_NOFOLLOW), 0);
		cr_expect_eq(found.st_mode & 07777, 0700, "%s", masks[i]);
		static const char *const files[] = {"machine.key", "machine.key.lock", "ready", "ready.lock"};
		for (size_t j = 0; j < sizeof files / sizeof *files; j++) {
			cr_assert_eq(fstatat(folder.fd, ask_format("state/%s", files[j]), &found, AT_SYMLINK_NOFOLLOW),
			             0, "%s", files[j]);
			cr_expect_eq(found.st_mode & 07777, 0600, "%s %s", masks[i], files[j]);
		}
		cr_expect_eq(responder_stop(health), 0);
		auth_folder_remove(&folder);
	}
}

/* It asks to be told of rows that row-level security would hide, instead of all rows. */
Test(process, an_environment_that_turns_row_level_security_off_has_nothing)
{
	const char *const settings[] = {ask_format("DATABASE_URL=%s", api_database(api_name("process"))),
	                                "PGOPTIONS=-c row_security=off", NULL};
	const struct ask list = {.target = LIST, .token = api_token("anna")};
	expect_problem(responder_ask(responder_start("tasks", api_settings(settings)), &list), 500, "internal",
	               "row_security=off");
}

/* A worker serves one connection at a time: one kept open for later would be the
 * only one it ever looks at, and no stop signal reaches it there. */
Test(process, no_web_server_keeps_a_worker_to_itself)
{
	enum { FLAGS = 10, KEEP_CONNECTION = 1 }; /* FastCGI Specification 1.0 §5.1 */
	struct responder *health = responder_start("health", api_settings((const char *const[]){NULL}));
	struct ask ask = {.target = "/health"};
	struct buf request = buf_make(64 * 1024);
	char rest;
	ask_write(&ask, &request);
	request.ptr[FLAGS] = KEEP_CONNECTION;
	int kept = fastcgi_connect(responder_socket(health));
	cr_assert(kept >= 0 && fastcgi_send(kept, buf_view(&request)));
	buf_destroy(&request);
	cr_expect_eq(responder_answer(kept, false)->status, 200);
	cr_expect_eq(responder_ask(health, &ask)->status, 200);
	cr_expect_eq(read(kept, &rest, 1), 0);
	close(kept);
	cr_expect_eq(responder_stop(health), 0);
}

/* RFC 3875 §4.2: a request without CONTENT_LENGTH has no body to wait for. */
Test(process, plain_cgi_waits_for_no_body_that_was_not_announced)
{
	static const char *const asks[][4] = {
	        {"REQUEST_METHOD=GET", "REQUEST_URI=/health", NULL},
	        {"REQUEST_METHOD=GET", "REQUEST_URI=/health", "CONTENT_LENGTH=", NULL},
	};
	struct auth_folder folder = auth_folder_make();
	const char *pipe = ask_format("%s/pipe", folder.path);
	cr_assert_eq(mkfifo(pipe, 0600), 0);
	int writer = open(pipe, O_RDWR | O_CLOEXEC);
	cr_assert_geq(writer, 0);
	for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
		struct responder *health = start_with(&folder, "health", ask_format("<'%s'", pipe), asks[i]);
		cr_expect_eq(responder_wait(health), 0);
		struct view said = responder_log(health);
		cr_expect_not_null(memmem(said.ptr, said.len, "Status: 200", 11), "%.*s", VIEW_ARGS(said));
	}
	close(writer);
	auth_folder_remove(&folder);
}

/* Chunked, as the web server passes it on: the input's end is the body's. */
Test(process, plain_cgi_reads_a_body_of_unknown_length_to_its_end)
{
	struct auth_folder folder = auth_folder_make();
	const char *body = auth_folder_write(&folder, "body", VIEW("{\"title\":"), 0600);
	const char *redirections = ask_format("<'%s'", body);
	const char *const ask[] = {"REQUEST_METHOD=POST",
	                           "REQUEST_URI=" LIST,
	                           "CONTENT_TYPE=application/json",
	                           "HTTP_TRANSFER_ENCODING=chunked",
	                           "DATABASE_URL=postgres:///none?host=/nowhere",
	                           ask_format("HTTP_AUTHORIZATION=Bearer %s", api_token("anna")),
	                           NULL};
	struct responder *tasks = start_with(&folder, "tasks", redirections, ask);
	cr_expect_eq(responder_wait(tasks), 0);
	struct view said = responder_log(tasks);
	cr_expect_not_null(memmem(said.ptr, said.len, "body_malformed", 14), "%.*s", VIEW_ARGS(said));
	auth_folder_remove(&folder);
}

/* A folder can be opened, and nothing can be read from it. */
Test(process, plain_cgi_takes_no_body_that_can_not_be_read_for_one)
{
	struct auth_folder folder = auth_folder_make();
	const char *const ask[] = {"REQUEST_METHOD=POST",
	                           "REQUEST_URI=" LIST,
	                           "CONTENT_TYPE=application/json",
	                           "CONTENT_LENGTH=9",
	                           "DATABASE_URL=postgres:///none?host=/nowhere",
	                           ask_format("HTTP_AUTHORIZATION=Bearer %s", api_token("anna")),
	                           NULL};
	struct responder *tasks = start_with(&folder, "tasks", "</", ask);
	cr_expect_eq(responder_wait(tasks), 0);
	struct view said = responder_log(tasks);
	cr_expect_not_null(memmem(said.ptr, said.len, "body_incomplete", 15), "%.*s", VIEW_ARGS(said));
	auth_folder_remove(&folder);
}

/* As many values as a body has room for. */
static char *filled(const char *start, const char *value, const char *end)
{
	static char body[REQUEST_BODY_MAX + 1];
	size_t len = (size_t)snprintf(body, sizeof body, "%s", start);
	while (len + strlen(value) + strlen(end) <= REQUEST_BODY_MAX)
		len += (size_t)snprintf(body + len, sizeof body - len, "%s", value);
	snprintf(body + len, sizeof body - len, "%s", end);
	return body;
}

Test(process, no_body_of_permitted_size_is_too_much_for_its_memory)
{
	static const char *const bodies[][3] = {
	        {"[", "1,", "1]"},
	        {"{\"title\":\"x\",\"tags\":[", "1,", "1]}"},
	        {"{\"title\":\"x\",\"tags\":[", "\"\",", "1]}"},
	        {"{\"title\":\"x\",\"tags\":[", "{\"\":1},", "1]}"},
	};
	struct responder *tasks = responder_start("tasks", api_settings_for("postgres:///none?host=/nowhere"));
	const char *token =
	        api_token_of(ask_format("{\"sub\":\"anna\",\"iss\":\"" API_ORIGIN "\",\"aud\":\"" API_ORIGIN "\","
	                                "\"exp\":4102444800,\"x\":[%s1]}",
	                                ask_keep((struct view){filled("", "1,", ""), 4800})));
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		struct ask ask = {.method = "POST", .target = LIST, .token = token};
		ask.body = filled(bodies[i][0], bodies[i][1], bodies[i][2]);
		expect_problem(responder_ask(tasks, &ask), 422, "invalid", bodies[i][1]);
	}
}

static bool holds_spool(const struct responder *responder)
{
	for (int number = STDERR_FILENO + 1; number < 64; number++)
		if (strstr(descriptor(responder, number), "(deleted)"))
			return true;
	return false;
}

static bool lets_go(void *context)
{
	return !holds_spool(context);
}

Test(process, an_export_that_is_sent_takes_no_room_on_the_disk)
{
	responder_needs_sight();
	struct responder *account = responder_start("account", api_settings_for(api_database(api_name("process"))));
	struct ask ask = {.target = "/api/anna/export", .token = api_token("anna")};
	cr_expect_eq(responder_ask(account, &ask)->status, 200);
	until(lets_go, account, "the file of the export is closed");
	ask.method = "HEAD";
	cr_expect_eq(responder_ask(account, &ask)->status, 200);
	until(lets_go, account, "the file of the export is closed");
}
