/* If-Match and If-None-Match: taken exactly when the field fits its grammar (RFC 9110
 * §8.8.3, §13.1.1), and every tag that it names matches. */
#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "fuzz/second.h"
#include "http/conditional.h"

#define TAG "(W/)?\"[^ \"\177\001-\037]*\""
#define OWS "[ \t]*"

static void comes_back(const struct etags *etags)
{
	struct buf text = buf_make(1 << 20);
	struct etags again;
	if (etags->any)
		buf_add_char(&text, '*');
	for (size_t i = 0; i < etags->count; i++) {
		buf_add(&text, i > 0 ? VIEW(", ") : VIEW(""));
		buf_add(&text, etags->tags[i].weak ? VIEW("W/\"") : VIEW("\""));
		buf_add(&text, etags->tags[i].opaque);
		/* A word that was taken off for a server's compression would be taken off once more. */
		BUF_LIT(&text, "-gzip\"");
	}
	HOLDS(etags_read(buf_view(&text), &again) && again.any == etags->any && again.count == etags->count);
	for (size_t i = 0; i < etags->count; i++) {
		HOLDS(view_equal(again.tags[i].opaque, etags->tags[i].opaque) || etags->tags[i].opaque.len == 0);
		HOLDS(again.tags[i].weak == etags->tags[i].weak);
		HOLDS(etags_match_weakly(etags, etags->tags[i].opaque));
		HOLDS(etags->tags[i].weak || etags_match_strongly(etags, etags->tags[i].opaque));
	}
	buf_destroy(&text);
}

static size_t count_quotes(struct view text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '"';
	return count;
}

void fuzz_one(struct view input)
{
	struct etags etags = {0};
	bool good = etags_read(input, &etags);
	if (good) {
		HOLDS(etags.any ? etags.count == 0 : etags.count > 0 && etags.count <= ETAGS_MAX);
		comes_back(&etags);
	}
	/* NUL can't come in a parameter, and is no character to regex. */
	if (view_find(input, '\0') < input.len)
		return;
	bool fits = second_matches(input, OWS "([*]|" TAG "(" OWS "," OWS TAG ")*)" OWS);
	HOLDS(good ? fits : !fits || count_quotes(input) > 2 * ETAGS_MAX);
}
