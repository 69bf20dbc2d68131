/* Makes the tokens of a benchmark: tokens FOLDER ORIGIN SECRET COUNT STEP SECONDS
 *
 * The users are 100000000000000000 and every STEP-th after it. Into FOLDER go jwks.json and, with a token a line,
 * hs256.txt, eddsa.txt and forged.txt (HS256 under another secret). They are as long as Better Auth's own, and good for
 * so many SECONDS. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "support/issuer.h"

#define FIRST_USER UINT64_C(100000000000000000)

enum { PAYLOAD_MAX = 2048, PATH_MAX_BYTES = 4096, JWKS_MAX = 64 * 1024 };

struct order {
	const char *folder;
	const char *origin;
	uint64_t count;
	uint64_t step;
	uint64_t lifetime; /* seconds */
};

static FILE *create(const char *folder, const char *name)
{
	char path[PATH_MAX_BYTES];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	if (!file) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	return file;
}

static void finish(FILE *file)
{
	if (fclose(file) != 0) {
		perror("tokens");
		exit(EXIT_FAILURE);
	}
}

static void write_tokens(const struct order *order, const struct issuer *issuer, const char *header, const char *name)
{
	FILE *file = create(order->folder, name);
	uint64_t now = (uint64_t)(clock_now() / CLOCK_SECOND);
	for (uint64_t i = 0; i < order->count; i++) {
		unsigned long long user = (unsigned long long)(FIRST_USER + i * order->step);
		char payload[PAYLOAD_MAX];
		snprintf(payload, sizeof payload,
		         "{\"iat\":%llu,\"name\":\"User "
		         "%llu\",\"email\":\"user-%llu@mail.example\",\"emailVerified\":true,"
		         "\"image\":\"https://images.example/avatars/"
		         "%llu.png\",\"createdAt\":\"2026-01-05T09:30:00.000Z\","
		         "\"updatedAt\":\"2026-01-05T09:30:00.000Z\",\"id\":\"%llu\",\"sub\":\"%llu\",\"exp\":%llu,"
		         "\"iss\":\"%s\",\"aud\":\"%s\"}",
		         (unsigned long long)now, user, user, user, user, user,
		         (unsigned long long)(now + order->lifetime), order->origin, order->origin);
		char *token = issuer_token(issuer, header, payload);
		fprintf(file, "%s\n", token);
		free(token);
	}
	finish(file);
}

int main(int argc, char **argv)
{
	struct order order;
	if (argc != 7 || !view_to_u64(view_of(argv[4]), 1000000, &order.count) ||
	    !view_to_u64(view_of(argv[5]), 1000000, &order.step) ||
	    !view_to_u64(view_of(argv[6]), 30 * 86400, &order.lifetime)) {
		fputs("usage: tokens FOLDER ORIGIN SECRET COUNT STEP SECONDS\n", stderr);
		return 2;
	}
	order.folder = argv[1];
	order.origin = argv[2];
	struct issuer *shared = issuer_new_secret(ALG_HS256, argv[3]);
	struct issuer *forger = issuer_new(ALG_HS256, NULL);
	struct issuer *keyed = issuer_new(ALG_EDDSA, "c7f1b06e52d94a38");
	struct buf jwks = buf_make(JWKS_MAX);

	write_tokens(&order, shared, "{\"alg\":\"HS256\"}", "hs256.txt");
	write_tokens(&order, forger, "{\"alg\":\"HS256\"}", "forged.txt");
	write_tokens(&order, keyed, "{\"alg\":\"EdDSA\",\"kid\":\"c7f1b06e52d94a38\"}", "eddsa.txt");
	issuer_jwks(&keyed, 1, &jwks);
	FILE *file = create(order.folder, "jwks.json");
	fprintf(file, "%.*s\n", VIEW_ARGS(buf_view(&jwks)));
	finish(file);

	buf_destroy(&jwks);
	issuer_free(keyed);
	issuer_free(forger);
	issuer_free(shared);
	return EXIT_SUCCESS;
}
