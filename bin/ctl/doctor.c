/* todoctl doctor: asks the programs through the real web server, as a client would, and
 * says in plain words what is wrong with what stands between. */
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "app/parts.h"
#include "auth/fetch.h"
#include "base/clock.h"
#include "base/state_dir.h"
#include "ctl/ask.h"
#include "ctl/ctl.h"
#include "db/operator.h"
#include "http/request.h"

enum { TOKEN_MAX = 16 * 1024, ARENA_MAX = 1024 * 1024, PROCESSES_MAX = 1000000 };

struct patient {
	struct view url; /* without a slash at its end */
	uint64_t processes;
	bool has_processes;
	struct buf token; /* empty: none was given */
	struct config config;
	bool has_config;
	const char *ca_file;
};

/* ---- asking ------------------------------------------------------------- */

static const char *ask_path(const struct patient *patient, const char *method, const char *path, const char *token,
                            struct view body, struct reply *ret)
{
	char url[ADDRESS_MAX + 2048];

	snprintf(url, sizeof(url), "%.*s%s", VIEW_ARGS(patient->url), path);
	const struct question question = {method, url, token, body, patient->ca_file};
	return ask(&question, ret);
}

/* Every answer of a program has this; a web server's own has not. */
static bool is_ours(const struct reply *reply)
{
	return reply_header(reply, "X-Request-Id").len == 32;
}

/* A program, to an address that has sent too many bad credentials: we, or others behind the same proxy. */
static bool is_limited(const struct reply *reply)
{
	return is_ours(reply) && reply->status == 429;
}

static bool body_holds(const struct reply *reply, const char *text)
{
	return reply->body.len > 0 && memmem(reply->body.ptr, reply->body.len, text, strlen(text)) != NULL;
}

/* ---- is anybody there --------------------------------------------------- */

static void explain_stranger(const struct reply *reply)
{
	switch (reply->status) {
	case 200:
		found(BAD, "programs",
		      "something else answers /health: the web server's URL table does not lead there to health.fcgi");
		break;
	case 301:
	case 302:
	case 307:
	case 308:
		found(BAD, "programs", "/health is a redirect to %.*s: call doctor with that address",
		      VIEW_ARGS(reply_header(reply, "Location")));
		break;
	case 403:
		found(BAD, "programs",
		      "the web server forbids /health: Apache wants ExecCGI and Require all granted for the folder, "
		      "and the file must be executable");
		break;
	case 404:
		found(BAD, "prefix",
		      "the web server itself knows no /health here: its URL table has another prefix, or is not "
		      "included");
		break;
	default:
		found(BAD, "programs",
		      "the web server answers %d by itself: it can't start the program or gets no answer. Its error "
		      "log says why; todoctl check, run as its user, says more",
		      reply->status);
	}
}

static bool check_presence(const struct patient *patient)
{
	REPLY reply = {0};
	const char *fault = ask_path(patient, "GET", "/health", NULL, ABSENT, &reply);

	if (fault) {
		found(BAD, "server", "%.*s can't be asked: %s", VIEW_ARGS(patient->url), fault);
		return false;
	}
	if (!is_ours(&reply)) {
		explain_stranger(&reply);
		return false;
	}
	if (reply.status != 200) {
		found(BAD, "prefix",
		      "the programs answer, and know no /health under this path: set BASE_PATH to the path of this "
		      "URL, or call doctor with the address that BASE_PATH is meant for");
		return false;
	}
	found(FINE, "programs", "answer at %.*s", VIEW_ARGS(patient->url));
	return true;
}

static void check_routes(const struct patient *patient)
{
	static const struct {
		const char *path;
		const char *program;
	} routes[] = {{"/auth/me", "auth"}, {"/api/doctor/tasks", "tasks"}, {"/api/doctor/export", "account"}};
	bool complete = true;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		REPLY reply = {0};
		const char *fault = ask_path(patient, "GET", routes[i].path, NULL, ABSENT, &reply);

		if (!fault && is_ours(&reply) && (reply.status == 401 || is_limited(&reply)))
			continue;
		complete = false;
		found(BAD, "routes", "%s does not reach %s.fcgi: %s", routes[i].path, routes[i].program,
		      fault             ? fault
		      : is_ours(&reply) ? "another program answers"
		                        : "the web server answers by itself");
	}
	if (complete)
		found(FINE, "routes", "lead to every program");
}

/* ---- what the web server does to requests ------------------------------- */

static void check_authorization(const struct patient *patient)
{
	REPLY reply = {0};
	const char *fault = ask_path(patient, "GET", "/auth/me", "doctor", ABSENT, &reply);
	struct view challenge = reply_header(&reply, "WWW-Authenticate");

	if (fault || !is_ours(&reply))
		found(BAD, "Authorization", "no answer of a program to a request with a token: %s",
		      fault ? fault : "the web server answers by itself");
	else if (is_limited(&reply))
		found(NOTE, "Authorization",
		      "can't be judged now: this address is over LIMIT_ADDRESS; ask again in a minute");
	else if (challenge.len > 0 && memmem(challenge.ptr, challenge.len, "invalid_token", 13))
		found(FINE, "Authorization", "reaches the programs");
	else
		found(BAD, "Authorization",
		      "is stripped: the programs see no token, so everybody is answered 401. Apache: CGIPassAuth On, "
		      "in the folder of the programs or its .htaccess");
}

/* The program judges the token first and reads the body to its end in any case. */
static void check_body(const struct patient *patient)
{
	REPLY reply = {0};
	struct buf body = buf_make(REQUEST_BODY_MAX);

	while (body.len < REQUEST_BODY_MAX)
		buf_add_char(&body, ' ');
	const char *fault = ask_path(patient, "POST", "/api/doctor/tasks", "doctor", buf_view(&body), &reply);
	buf_destroy(&body);
	if (!fault && is_ours(&reply))
		found(FINE, "bodies", "of 64 KiB reach the programs");
	else
		found(BAD, "bodies",
		      "the web server refuses one of 64 KiB by itself (%s%d): raise its limit above that. Apache: "
		      "FcgidMaxRequestLen, LimitRequestBody; lighttpd: server.max-request-size; nginx: "
		      "client_max_body_size",
		      fault ? fault : "status ", fault ? 0 : reply.status);
}

static void check_slash(const struct patient *patient)
{
	REPLY reply = {0};
	const char *fault = ask_path(patient, "GET", "/api/a%2Fb/tasks", NULL, ABSENT, &reply);

	if (!fault && !is_ours(&reply))
		found(NOTE, "paths",
		      "the web server answers %d to an encoded slash by itself; AllowEncodedSlashes NoDecode lets "
		      "Apache pass it on, and the 404 be JSON",
		      reply.status);
}

static void check_ready(const struct patient *patient)
{
	static const struct {
		const char *code;
		const char *words;
	} causes[] = {
	        {"keys_unavailable",
	         "no key can be had: the issuer at JWKS_URL does not answer, or its answer holds no usable key"},
	        {"database_role", "the database role could see every user's tasks: use todo_app, not the owner"},
	        {"database_schema", "the schema is not the one that these programs want: todoctl check says which "
	                            "there is. Deploy sql/, or, if that is done, send HUP to the programs"},
	        {"database_busy", "the database has no connection left"},
	        {"database_unavailable", "the database can't be reached from the programs"},
	        {"database_timeout", "the database does not answer in time"},
	};
	REPLY reply = {0};
	const char *fault = ask_path(patient, "GET", "/ready", NULL, ABSENT, &reply);

	if (!fault && is_ours(&reply) && reply.status == 200) {
		if (body_holds(&reply, "warnings"))
			found(NOTE, "ready",
			      "the programs serve with older settings or keys than they were given last; their log "
			      "says why");
		else
			found(FINE, "ready", "database, role, schema and keys are usable");
		return;
	}
	for (size_t i = 0; !fault && i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (body_holds(&reply, causes[i].code)) {
			found(BAD, "ready", "%s", causes[i].words);
			return;
		}
	}
	found(BAD, "ready", "no sensible answer: %s", fault ? fault : "the web server answers by itself");
}

/* ---- clocks ------------------------------------------------------------- */

static void compare_clock(const struct patient *patient, const char *whose, const struct reply *reply,
                          const char *advice)
{
	int64_t date;
	int64_t leeway = patient->has_config ? patient->config.jwt_leeway : 30;

	if (!reply_date(reply, &date))
		return;
	/* Date has whole seconds. */
	int64_t ahead = (date - clock_now()) / CLOCK_SECOND;
	if (ahead > leeway || ahead < -leeway - 1)
		found(BAD, "clock", "%s is %lld s %s ours: %s", whose, (long long)(ahead < 0 ? -ahead : ahead),
		      ahead < 0 ? "behind" : "ahead of", advice);
	else
		found(FINE, "clock", "%s agrees with ours", whose);
}

static void check_issuer(const struct patient *patient)
{
	char url[ADDRESS_MAX * 2];
	const struct config *config = &patient->config;
	REPLY reply = {0};

	if (config->jwks_url.len > 0)
		snprintf(url, sizeof(url), "%.*s", VIEW_ARGS(config->jwks_url));
	else if (config->better_auth_url.len > 0)
		snprintf(url, sizeof(url), "%.*s", VIEW_ARGS(config->better_auth_url));
	else
		return;
	const struct question question = {"GET", url, NULL, ABSENT, patient->ca_file};
	const char *fault = ask(&question, &reply);
	if (fault)
		found(config->jwks_url.len > 0 ? BAD : NOTE, "issuer", "%s can't be asked: %s", url, fault);
	else if (config->jwks_url.len > 0 && reply.status != 200)
		found(BAD, "issuer", "%s gives no key set, but status %d", url, reply.status);
	else if (config->jwks_url.len > 0 && !body_holds(&reply, "\"keys\""))
		found(BAD, "issuer", "%s gives something else than a key set%s", url,
		      body_holds(&reply, "<html") || body_holds(&reply, "<!doctype")
		              ? ": a page, as a web server gives one that has no such path"
		              : "");
	else
		compare_clock(
		        patient, "the issuer's clock", &reply,
		        "its tokens are refused as not yet valid or expired; run NTP on both, JWT_LEEWAY is no cure");
}

static void check_server_clock(const struct patient *patient)
{
	REPLY reply = {0};
	const char *fault = ask_path(patient, "GET", "/health", NULL, ABSENT, &reply);

	if (!fault)
		compare_clock(patient, "the web server's clock", &reply,
		              "tokens are judged by that clock; run NTP there");
}

/* ---- one token ---------------------------------------------------------- */

static void explain_token(const struct patient *patient, enum jwt_error error, const struct claims *claims)
{
	if (error == JWT_OK)
		found(FINE, "token", "is good for %lld s",
		      (long long)((claims->expires_at - clock_now()) / CLOCK_SECOND));
	else if (error == JWT_UNKNOWN_KID)
		found(BAD, "token",
		      "its kid is in no key source here: it is of another issuer, or of keys that are gone or not "
		      "fetched yet; compare todoctl keys");
	else if (error == JWT_NOT_YET || error == JWT_BAD_IAT)
		found(BAD, "token",
		      "is from the future: the issuer's clock is ahead of ours by more than JWT_LEEWAY (%lld s)",
		      (long long)patient->config.jwt_leeway);
	else if (error == JWT_BAD_ISS || error == JWT_BAD_AUD)
		found(BAD, "token",
		      "is for another application (%s): compare its iss and aud with BETTER_AUTH_URL, JWT_ISSUER and "
		      "JWT_AUDIENCE",
		      jwt_error_text(error));
	else if (error == JWT_BAD_SIGNATURE)
		found(BAD, "token",
		      "is signed with another key or secret, or forged (bad_signature): compare BETTER_AUTH_SECRET "
		      "with "
		      "Better Auth's, or todoctl keys with its key set");
	else
		found(BAD, "token", "is refused here: %s (docs/operations.md, \"Every refusal of a credential\")",
		      jwt_error_text(error));
}

static void judge_token(const struct patient *patient, int state_dir)
{
	BUF error = buf_make(ERROR_MAX);
	struct parts parts = {0};
	struct claims claims;
	struct arena arena;

	if (!arena_init(&arena, ARENA_MAX))
		return;
	if (parts_open(&patient->config, false, state_dir, INT64_MAX, &parts, &error)) {
		enum jwt_error verdict =
		        keyring_verify(parts.keyring, &arena, buf_view(&patient->token), clock_now(), &claims);
		explain_token(patient, verdict, &claims);
		parts_close(&parts);
	} else {
		found(BAD, "settings", "%.*s", VIEW_ARGS(buf_view(&error)));
	}
	arena_destroy(&arena);
}

static void send_token(const struct patient *patient)
{
	char token[TOKEN_MAX];
	REPLY reply = {0};

	snprintf(token, sizeof(token), "%.*s", VIEW_ARGS(buf_view(&patient->token)));
	const char *fault = ask_path(patient, "GET", "/auth/me", token, ABSENT, &reply);
	explicit_bzero(token, sizeof(token));
	if (!fault && is_ours(&reply) && reply.status == 200)
		found(FINE, "token", "is taken by the programs");
	else if (!fault && is_ours(&reply) && body_holds(&reply, "token_expired"))
		found(BAD, "token", "its time is over: fetch a fresh one and try again");
	else if (!fault && is_limited(&reply))
		found(NOTE, "token",
		      "is not judged now: its user is over LIMIT_USER, or this address over LIMIT_ADDRESS");
	else
		found(BAD, "token", "the programs do not take it (%s%d); their log says why", fault ? fault : "status ",
		      fault ? 0 : reply.status);
}

/* ---- connections -------------------------------------------------------- */

/* Processes of ours on this machine that hold a connection each. */
static uint64_t count_processes(void)
{
	static const struct view programs[] = {VIEW("tasks.fcgi\n"), VIEW("account.fcgi\n"), VIEW("health.fcgi\n")};
	uint64_t count = 0;
	DIR *proc = opendir("/proc");

	for (struct dirent *entry; proc && (entry = readdir(proc));) {
		char path[300];
		char name[32];

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		int file = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		ssize_t got = file >= 0 ? read(file, name, sizeof(name)) : 0;
		if (file >= 0)
			close(file);
		for (size_t i = 0; got > 0 && i < sizeof(programs) / sizeof(programs[0]); i++)
			count += view_equal((struct view){name, (size_t)got}, programs[i]);
	}
	if (proc)
		closedir(proc);
	return count;
}

static void check_connections(const struct patient *patient)
{
	struct operator_facts facts;
	BUF error = buf_make(ERROR_MAX);
	uint64_t processes = patient->has_processes ? patient->processes : count_processes();

	if (patient->config.database_url.len + patient->config.todo_database_url.len == 0)
		found(NOTE, "connections", "no DATABASE_URL here, so they were not looked at");
	else if (!operator_read_facts(&patient->config, &facts, &error))
		found(BAD, "database", "%.*s", VIEW_ARGS(buf_view(&error)));
	else if (processes == 0)
		found(NOTE, "connections", "no process of ours is seen here; --processes N says how many there can be");
	else if ((int64_t)processes > facts.connections)
		found(BAD, "connections",
		      "%llu processes hold a connection each, and the database lets %s have %lld: start fewer "
		      "(WORKERS, FcgidMaxProcesses), raise max_connections, or put PgBouncer between",
		      (unsigned long long)processes, facts.role, (long long)facts.connections);
	else
		found(FINE, "connections",
		      "%llu processes hold one each, and the database lets %s have %lld; %lld are given out now",
		      (unsigned long long)processes, facts.role, (long long)facts.connections, (long long)facts.in_use);
}

/* ---- all of it ---------------------------------------------------------- */

static bool read_token_file(const char *path, struct buf *ret)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char *room = file ? buf_reserve(ret, TOKEN_MAX - 1) : NULL;

	if (room)
		ret->len = fread(room, 1, TOKEN_MAX - 1, file);
	if (file && file != stdin)
		fclose(file);
	while (ret->len > 0 && (ret->ptr[ret->len - 1] == '\n' || ret->ptr[ret->len - 1] == '\r'))
		ret->len--;
	return ret->len > 0;
}

/* NULL, or what is wrong with the arguments. */
static const char *read_arguments(int argc, char **argv, struct patient *patient)
{
	static const struct option options[] = {
	        {"processes", required_argument, NULL, 'p'},
	        {"token-file", required_argument, NULL, 't'},
	        {NULL, 0, NULL, 0},
	};

	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option == 'p') {
			patient->has_processes = true;
			if (!view_to_u64(view_of(optarg), PROCESSES_MAX, &patient->processes))
				return "--processes is a whole number";
		} else if (option != 't') {
			return "unknown option, or one without its value";
		} else if (!read_token_file(optarg, &patient->token)) {
			return "--token-file holds no token";
		}
	}
	if (optind + 1 != argc)
		return ADDRESS_NEEDED;
	return read_address(argv[optind], &patient->url);
}

static void examine_settings(struct patient *patient)
{
	BUF error = buf_make(ERROR_MAX);
	int state_dir = -1;

	patient->has_config = read_settings(&patient->config, &error);
	if (!patient->has_config) {
		found(NOTE, "settings", "can't be read here, so keys, clocks and connections were not looked at: %.*s",
		      VIEW_ARGS(buf_view(&error)));
	} else {
		check_issuer(patient);
		if (patient->token.len > 0 && state_dir_open(patient->config.state_dir, ABSENT, &state_dir, &error)) {
			judge_token(patient, state_dir);
			close(state_dir);
		}
		check_connections(patient);
	}
}

int run_doctor(const struct command *command, int argc, char **argv)
{
	struct patient patient = {.token = buf_make(TOKEN_MAX), .ca_file = "/etc/ssl/certs/ca-certificates.crt"};
	const char *fault = read_arguments(argc, argv, &patient);

	if (fault) {
		buf_destroy(&patient.token);
		return refuse_usage(command, fault);
	}
	if (!fetch_start())
		return refuse(command, "no memory");
	if (check_presence(&patient)) {
		check_routes(&patient);
		check_authorization(&patient);
		check_body(&patient);
		check_slash(&patient);
		check_ready(&patient);
		check_server_clock(&patient);
		if (patient.token.len > 0)
			send_token(&patient);
	}
	examine_settings(&patient);
	fetch_stop();
	buf_reset(&patient.token, TOKEN_MAX);
	buf_destroy(&patient.token);
	return found_status();
}
