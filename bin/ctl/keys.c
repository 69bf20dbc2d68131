/* todoctl keys: which keys verify tokens now, and where they are from. */
#include <unistd.h>

#include "app/parts.h"
#include "auth/keyset.h"
#include "auth/secrets.h"
#include "base/clock.h"
#include "base/state_dir.h"
#include "ctl/ctl.h"

enum { KEYS_MAX = KEYSET_MAX + SECRETS_MAX, NOTES_MAX = 64 * 1024 };

static void print_key(const struct keyring_key *key)
{
	char until[CLOCK_TEXT_SECONDS + 1] = "-";
	char kid[KEY_KID_MAX + 1] = "-";

	if (key->until != INT64_MAX)
		clock_format_seconds(key->until, until);
	if (!view_is_absent(key->kid))
		snprintf(kid, sizeof(kid), "%.*s", VIEW_ARGS(key->kid));
	make_plain(kid);
	printf("%-34s  %-8.*s  %-28s  %s%s\n", kid, VIEW_ARGS(alg_row(key->alg)->spelling), key->setting, until,
	       key->is_disputed ? "  unused: another key has this kid" : "");
}

static int list(const struct config *config, int state_dir, struct buf *error)
{
	static struct keyring_key keys[KEYS_MAX];
	BUF notes = buf_make(NOTES_MAX);
	struct parts parts;

	if (!parts_open(config, false, state_dir, INT64_MAX, &parts, error))
		return EXIT_FAILURE;
	size_t count = keyring_list(parts.keyring, clock_now(), keys, KEYS_MAX);
	keyring_take_notes(parts.keyring, &notes);
	printf("%-34s  %-8s  %-28s  %s\n", "KID", "ALG", "FROM", "UNTIL");
	for (size_t i = 0; i < count; i++)
		print_key(&keys[i]);
	fprintf(stderr, "%.*s", VIEW_ARGS(buf_view(&notes)));
	if (count == 0)
		BUF_LIT(error,
		        "there is no key: every request with a token is answered 503; the programs' log says why");
	parts_close(&parts);
	return count > 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int run_keys(const struct command *command, int argc, char **argv)
{
	struct config config;
	BUF error = buf_make(ERROR_MAX);
	int state_dir = -1;
	int status = EXIT_FAILURE;

	(void)argv;
	if (argc > 1)
		return refuse_usage(command, "too many arguments");
	if (!load_settings(command, &config))
		return EXIT_FAILURE;
	if (state_dir_open(config.state_dir, ABSENT, &state_dir, &error)) {
		status = list(&config, state_dir, &error);
		close(state_dir);
	}
	if (error.len > 0)
		status = refuse_line(command, &error);
	return status;
}
