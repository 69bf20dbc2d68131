/* The HTTP client of todoctl doctor and warm. */
#include "ctl/ask.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { PATIENCE_MS = 20000 };

static size_t take_body(char *bytes, size_t size, size_t count, void *data)
{
	buf_add(data, (struct view){bytes, size * count});
	return size * count;
}

/* A new status line begins a new answer: 100 Continue is none that counts. */
static size_t take_head(char *bytes, size_t size, size_t count, void *data)
{
	struct view line = {bytes, size * count};

	if (view_starts(line, VIEW("HTTP/")))
		buf_reset(data, ASK_HEAD_MAX);
	buf_add(data, line);
	return line.len;
}

/* NULL: no memory. */
static struct curl_slist *headers_of(const struct question *question, const char *more)
{
	char text[8192];
	/* libcurl would wait for a 100 Continue before a large body. */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");

	if (!view_is_absent(question->body))
		list = curl_slist_append(list, "Content-Type: application/json");
	if (question->token) {
		snprintf(text, sizeof(text), "Authorization: Bearer %s", question->token);
		list = curl_slist_append(list, text);
	}
	if (more)
		list = curl_slist_append(list, more);
	return list;
}

static void set_options(CURL *curl, const struct question *question, struct curl_slist *headers, struct reply *reply)
{
	curl_easy_setopt(curl, CURLOPT_URL, question->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, question->method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
	curl_easy_setopt(curl, CURLOPT_CAINFO, question->ca_file);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_head);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &reply->head);
	if (!view_is_absent(question->body)) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)question->body.len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, question->body.ptr);
	}
}

const char *ask(const struct question *question, struct reply *ret)
{
	CURL *curl = curl_easy_init();
	struct curl_slist *headers = headers_of(question, NULL);
	long status = 0;

	*ret = (struct reply){.head = buf_make(ASK_HEAD_MAX), .body = buf_make(ASK_BODY_MAX)};
	if (!curl || !headers) {
		curl_slist_free_all(headers);
		curl_easy_cleanup(curl);
		return "no memory";
	}
	set_options(curl, question, headers, ret);
	CURLcode code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	ret->status = (int)status;
	/* A server that refuses a body early may reset the connection behind its answer. */
	return code == CURLE_OK || status >= 300 ? NULL : curl_easy_strerror(code);
}

/* Waits for all to end; `code` is how the first that failed did, when none was answered. */
static bool wait_for_all(CURLM *multi, CURLcode *code)
{
	CURLMsg *message;
	int running = 0;
	bool answered = false;

	while (curl_multi_perform(multi, &running) == CURLM_OK && running > 0)
		if (curl_multi_poll(multi, NULL, 0, PATIENCE_MS, NULL) != CURLM_OK)
			break;
	for (int left; (message = curl_multi_info_read(multi, &left)) != NULL;) {
		if (message->msg == CURLMSG_DONE && message->data.result == CURLE_OK)
			answered = true;
		else if (*code == CURLE_OK)
			*code = message->data.result;
	}
	return answered;
}

const char *ask_together(const struct question *question, const char *header, uint64_t count)
{
	struct curl_slist *headers = headers_of(question, header);
	CURL **handles = calloc(count, sizeof(*handles));
	struct reply *replies = calloc(count, sizeof(*replies));
	CURLM *multi = curl_multi_init();
	CURLcode code = CURLE_OK;
	bool answered = false;

	if (headers && handles && replies && multi) {
		for (uint64_t i = 0; i < count; i++) {
			replies[i] = (struct reply){.head = buf_make(ASK_HEAD_MAX), .body = buf_make(ASK_BODY_MAX)};
			handles[i] = curl_easy_init();
			if (!handles[i])
				continue;
			set_options(handles[i], question, headers, &replies[i]);
			curl_easy_setopt(handles[i], CURLOPT_FRESH_CONNECT, 1L);
			curl_easy_setopt(handles[i], CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
			curl_multi_add_handle(multi, handles[i]);
		}
		answered = wait_for_all(multi, &code);
		for (uint64_t i = 0; i < count; i++) {
			curl_multi_remove_handle(multi, handles[i]);
			curl_easy_cleanup(handles[i]);
			reply_destroy(&replies[i]);
		}
	}
	curl_multi_cleanup(multi);
	curl_slist_free_all(headers);
	free(handles);
	free(replies);
	if (answered)
		return NULL;
	return code == CURLE_OK ? "no memory" : curl_easy_strerror(code);
}

void reply_destroy(struct reply *reply)
{
	buf_destroy(&reply->head);
	buf_destroy(&reply->body);
}

struct view reply_header(const struct reply *reply, const char *name)
{
	for (struct view rest = buf_view(&reply->head); rest.len > 0;) {
		struct view value = view_cut(&rest, '\n');
		struct view field = view_cut(&value, ':');

		if (view_is_absent(value) || !view_equal_nocase(field, view_of(name)))
			continue;
		if (value.len > 0 && value.ptr[value.len - 1] == '\r')
			value.len--;
		return view_trim(value);
	}
	return ABSENT;
}

bool reply_date(const struct reply *reply, int64_t *ret)
{
	struct view value = reply_header(reply, "Date");
	char text[64];

	if (value.len == 0 || value.len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", VIEW_ARGS(value));
	time_t seconds = curl_getdate(text, NULL);
	if (seconds == -1)
		return false;
	*ret = (int64_t)seconds * CLOCK_SECOND;
	return true;
}
