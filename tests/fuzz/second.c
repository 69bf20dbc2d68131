/* Jansson, regex, libsodium and libcurl, asked. */
#include "fuzz/second.h"

#include <curl/curl.h>
#include <regex.h>
#include <sodium.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"

json_t *second_json(struct view text)
{
	return json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
}

static bool scalar_equal(const cJSON *ours, json_t *theirs)
{
	if (cJSON_IsString(ours))
		return json_is_string(theirs) && view_equal(json_text(ours), second_text(theirs));
	if (cJSON_IsNumber(ours))
		return json_is_real(theirs) && json_real_value(theirs) == ours->valuedouble;
	if (cJSON_IsNull(ours))
		return json_is_null(theirs);
	return cJSON_IsBool(ours) && json_is_boolean(theirs) && cJSON_IsTrue(ours) == json_is_true(theirs);
}

/* Goes no deeper than JSON_MAX_DEPTH, which our tree keeps. */
bool second_json_equal(const cJSON *ours, json_t *theirs)
{
	const cJSON *child;
	size_t count = 0;
	if (!cJSON_IsArray(ours) && !cJSON_IsObject(ours))
		return scalar_equal(ours, theirs);
	if (cJSON_IsArray(ours) ? !json_is_array(theirs) : !json_is_object(theirs))
		return false;
	cJSON_ArrayForEach(child, ours)
	{
		json_t *other =
		        cJSON_IsArray(ours) ? json_array_get(theirs, count) : json_object_get(theirs, child->string);
		if (!other || !second_json_equal(child, other))
			return false;
		count++;
	}
	return count == (cJSON_IsArray(ours) ? json_array_size(theirs) : json_object_size(theirs));
}

bool second_utf8(struct view text)
{
	json_t *string = json_stringn(text.len > 0 ? text.ptr : "", text.len);
	bool good = string != NULL;
	json_decref(string);
	return good;
}

size_t second_count(struct view text)
{
	size_t count = 0;
	for (size_t i = 0; i < text.len; count++) {
		unsigned char first = (unsigned char)text.ptr[i];
		i += first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	}
	return count;
}

struct view second_text(json_t *node)
{
	return json_is_string(node) ? (struct view){json_string_value(node), json_string_length(node)} : ABSENT;
}

bool second_matches(struct view text, const char *pattern)
{
	enum { PATTERNS_MAX = 16 };
	static struct {
		const char *pattern;
		regex_t compiled;
	} known[PATTERNS_MAX];
	regmatch_t whole = {0, (regoff_t)text.len};
	size_t i = 0;
	while (i < PATTERNS_MAX && known[i].pattern && known[i].pattern != pattern)
		i++;
	HOLDS(i < PATTERNS_MAX);
	if (!known[i].pattern) {
		HOLDS(regcomp(&known[i].compiled, pattern, REG_EXTENDED) == 0);
		known[i].pattern = pattern;
	}
	/* With REG_STARTEND it needs no NUL, but the sanitizer looks for one. */
	struct view terminated = fuzz_join(text, (struct view){"", 1});
	return regexec(&known[i].compiled, terminated.ptr, 1, &whole, REG_STARTEND) == 0 && whole.rm_so == 0 &&
	       (size_t)whole.rm_eo == text.len;
}

bool second_base64url(struct view text, unsigned char *out, size_t *ret_len)
{
	const char *end = NULL;
	/* libsodium 1.0.18 takes each of them for some character of the alphabet. */
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] > 0x7f)
			return false;
	return sodium_base642bin(out, text.len, text.ptr, text.len, NULL, ret_len, &end,
	                         sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
	       end == text.ptr + text.len;
}

struct view second_unescape(struct view text)
{
	int len = 0;
	/* A length of 0 would have it measure the text itself. */
	if (text.len == 0)
		return VIEW("");
	char *decoded = curl_easy_unescape(NULL, text.ptr, (int)text.len, &len);
	HOLDS(decoded != NULL);
	struct view kept = fuzz_copy((struct view){decoded, (size_t)len});
	curl_free(decoded);
	return kept;
}

static bool add_part(CURLU *url, CURLUPart part, const char *before, struct buf *out)
{
	char *text = NULL;
	if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
		return false;
	buf_add(out, view_of(before));
	for (const char *c = text; *c; c++)
		buf_add_char(out, *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c);
	curl_free(text);
	return true;
}

bool second_origin(struct view text, struct buf *out)
{
	CURLU *url = curl_url();
	char *port = NULL;
	bool good = curl_url_set(url, CURLUPART_URL, fuzz_string(text), 0) == CURLUE_OK &&
	            add_part(url, CURLUPART_SCHEME, "", out) && add_part(url, CURLUPART_HOST, "://", out);
	if (good && curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT) == CURLUE_OK) {
		buf_add_char(out, ':');
		buf_add(out, view_of(port));
	}
	curl_free(port);
	curl_url_cleanup(url);
	return good;
}
