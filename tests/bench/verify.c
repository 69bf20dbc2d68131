/* What one verification costs: the whole way of a token through the keyring, for each algorithm. */
#include <stdio.h>
#include <stdlib.h>

#include "auth/keyring.h"
#include "base/clock.h"
#include "support/auth_config.h"
#include "support/auth_folder.h"
#include "support/issuer.h"

#define ORIGIN "https://app.example"

enum { ROUNDS = 9, ROUND_MICROSECONDS = 60 * 1000, BATCH = 32 };

/* Nanoseconds per token in one round. */
static double measure(struct keyring *keyring, struct arena *arena, struct view token, int64_t now)
{
	int64_t start = clock_monotonic();
	int64_t elapsed = 0;
	uint64_t count = 0;

	while (elapsed < ROUND_MICROSECONDS) {
		for (int i = 0; i < BATCH; i++) {
			struct claims claims;

			arena_reset(arena);
			if (keyring_verify(keyring, arena, token, now, &claims) != JWT_OK)
				abort();
		}
		count += BATCH;
		elapsed = clock_monotonic() - start;
	}
	return (double)elapsed * 1000.0 / (double)count;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct keyring *open_keyring(struct issuer *issuer, enum alg alg, const struct auth_folder *folder)
{
	struct config config = auth_config();
	struct keyring_parts parts = {.state_dir = -1};
	struct buf text = buf_make(64 * 1024);
	struct keyring *keyring = NULL;

	config.better_auth_url = VIEW(ORIGIN);
	if (alg_is_hmac(alg)) {
		config.better_auth_secret = issuer_secret(issuer);
		config.jwt_shared_secret_alg = alg_row(alg)->spelling;
	} else {
		issuer_jwks(&issuer, 1, &text);
		config.jwks_file = view_of(auth_folder_write(folder, "jwks.json", buf_view(&text), 0644));
	}
	buf_reset(&text, 0);
	if (!keyring_open(&config, &parts, &keyring, &text)) {
		fprintf(stderr, "%.*s\n", VIEW_ARGS(buf_view(&text)));
		exit(1);
	}
	buf_destroy(&text);
	return keyring;
}

int main(void)
{
	struct auth_folder folder = auth_folder_make();
	int64_t now = clock_now();
	struct arena arena;

	if (!arena_init(&arena, 1024 * 1024))
		return 1;
	printf("%-6s  %9s  %9s   (microseconds per token, median and best of %d rounds)\n", "alg", "median", "best",
	       ROUNDS);
	for (size_t i = 0; i < ALG_COUNT; i++) {
		enum alg alg = (enum alg)i;
		struct issuer *issuer = issuer_new(alg, alg_is_hmac(alg) ? NULL : "2f1c9e5b7a3d4c60");
		struct keyring *keyring = open_keyring(issuer, alg, &folder);
		char *token = issuer_token_for(issuer, "aB3dEfGh1JkLmN0pQrStUvWxYz012345", ORIGIN, now);
		double rounds[ROUNDS];

		for (int round = 0; round < ROUNDS; round++)
			rounds[round] = measure(keyring, &arena, view_of(token), now);
		qsort(rounds, ROUNDS, sizeof(rounds[0]), compare);
		printf("%-6s  %9.2f  %9.2f\n", alg_row(alg)->spelling.ptr, rounds[ROUNDS / 2] / 1000.0,
		       rounds[0] / 1000.0);
		free(token);
		keyring_close(keyring);
		issuer_free(issuer);
	}
	arena_destroy(&arena);
	auth_folder_remove(&folder);
	return 0;
}
