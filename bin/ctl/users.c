/* todoctl revoke, export, erase: what an operator does for one user. */
#include <getopt.h>
#include <unistd.h>

#include "app/parts.h"
#include "auth/claims.h"
#include "base/clock.h"
#include "base/spool.h"
#include "base/state_dir.h"
#include "base/utf8.h"
#include "ctl/ctl.h"
#include "db/operator.h"
#include "task/store.h"

enum { USER_ARENA_MAX = 1024 * 1024 };

static bool is_user(struct view user)
{
	return user.len > 0 && user.len <= CLAIMS_SUBJECT_MAX && utf8_valid(user) && !view_has_control(user);
}

static int refuse_outcome(const struct command *command, enum outcome outcome)
{
	fprintf(stderr, "todoctl %s: %.*s: %.*s\n", command->name, VIEW_ARGS(outcome_row(outcome)->code),
	        VIEW_ARGS(outcome_row(outcome)->detail));
	return EXIT_FAILURE;
}

/* ---- revoke ------------------------------------------------------------- */

int run_revoke(const struct command *command, int argc, char **argv)
{
	struct config config;
	BUF instant = buf_make(ERROR_MAX);
	BUF error = buf_make(ERROR_MAX);
	const char *owner_url = getenv("OWNER_DATABASE_URL");

	if (argc != 2 || !is_user(view_of(argv[1])))
		return refuse_usage(command, "one user's id is needed");
	if (!load_settings(command, &config))
		return EXIT_FAILURE;
	if (!owner_url || !*owner_url)
		return refuse(command,
		              "set OWNER_DATABASE_URL in the environment: the programs' own role may not revoke");
	if (!operator_revoke(&config, view_of(owner_url), argv[1], &instant, &error))
		return refuse_line(command, &error);
	printf("tokens of that user issued up to %.*s count no more\n", VIEW_ARGS(buf_view(&instant)));
	if (!config.jwt_revocation)
		fputs("todoctl revoke: JWT_REVOCATION is off here: programs with these settings do not look\n", stderr);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- export and erase --------------------------------------------------- */

/* A user's tasks, as the programs have them. */
struct account {
	struct config config;
	struct arena arena;
	struct db *db;
	int state_dir;
	const struct principal *principal;
};

static void close_account(struct account *account)
{
	db_close(account->db);
	arena_destroy(&account->arena);
	if (account->state_dir >= 0)
		close(account->state_dir);
}

/* The operator's word takes the place of a token of just now. */
static bool admit(struct account *account, const char *user)
{
	const struct claims claims = {.subject = view_of(user), .issued_at = clock_now(), .expires_at = clock_now()};

	return guard_owner(&account->arena, &claims, view_of(user), &account->principal) == OUTCOME_OK;
}

static bool open_account(const char *user, struct account *account, struct buf *error)
{
	*account = (struct account){.state_dir = -1};
	if (!read_settings(&account->config, error) ||
	    !state_dir_open(account->config.state_dir, ABSENT, &account->state_dir, error) ||
	    !db_open(&account->config, &account->db, error))
		return false;
	if (arena_init(&account->arena, USER_ARENA_MAX) && admit(account, user))
		return true;
	BUF_LIT(error, "no memory, or no token could be this user's");
	return false;
}

static struct task_store store_of(struct account *account)
{
	return (struct task_store){account->db, &account->arena, account->principal, 0};
}

static bool print_file(int file)
{
	char piece[32 * 1024];
	ssize_t got;

	for (off_t at = 0; (got = pread(file, piece, sizeof(piece), at)) > 0; at += got)
		if (fwrite(piece, 1, (size_t)got, stdout) != (size_t)got)
			return false;
	return got == 0 && fputc('\n', stdout) != EOF && fflush(stdout) == 0;
}

/* All of it or nothing: a part would look like the whole to whoever keeps it. */
static int export(const struct command *command, struct account *account)
{
	struct task_store store = store_of(account);
	SPOOL spool = spool_none();

	if (spool_open(account->state_dir, &spool) != SPOOL_OK)
		return refuse(command, "STATE_DIR: there is no room to put the document together");
	enum outcome outcome = task_export_document(&store, clock_now(), &spool);
	if (outcome != OUTCOME_OK)
		return refuse_outcome(command, outcome);
	if (spool_finish(&spool) != SPOOL_OK)
		return refuse(command, "STATE_DIR: there is no room to put the document together");
	int file = spool_take_file(&spool);
	bool printed = print_file(file);
	close(file);
	return printed ? EXIT_SUCCESS : refuse(command, "the output can't be written");
}

int run_export(const struct command *command, int argc, char **argv)
{
	struct account account;
	BUF error = buf_make(ERROR_MAX);

	if (argc != 2 || !is_user(view_of(argv[1])))
		return refuse_usage(command, "one user's id is needed");
	int status = open_account(argv[1], &account, &error) ? export(command, &account) : refuse_line(command, &error);
	close_account(&account);
	return status;
}

static int erase(const struct command *command, struct account *account)
{
	struct task_store store = store_of(account);
	int64_t deleted = 0;
	enum outcome outcome = task_erase_user(&store, account->config.jwt_revocation, &deleted);

	if (outcome != OUTCOME_OK)
		return refuse_outcome(command, outcome);
	printf("%lld tasks of that user are erased%s\n", (long long)deleted,
	       account->config.jwt_revocation ? ", and tokens issued until now count no more" : "");
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int run_erase(const struct command *command, int argc, char **argv)
{
	struct account account;
	BUF error = buf_make(ERROR_MAX);

	if (argc != 4 || !is_user(view_of(argv[1])) || strcmp(argv[2], "--confirm") != 0)
		return refuse_usage(command, "a user's id is needed, and the same once more behind --confirm");
	if (strcmp(argv[1], argv[3]) != 0)
		return refuse_usage(command, "--confirm names another user");
	int status = open_account(argv[1], &account, &error) ? erase(command, &account) : refuse_line(command, &error);
	close_account(&account);
	return status;
}
