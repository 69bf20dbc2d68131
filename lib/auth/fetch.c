/* The HTTP client: the one file that knows libcurl. */
#include "auth/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP_OK = 200 };

bool fetch_start(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

void fetch_stop(void)
{
	curl_global_cleanup();
}

void fetch_drop_environment(void)
{
	static const char *const names[] = {
	        "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",   "all_proxy",
	        "ALL_PROXY",  "no_proxy",   "NO_PROXY",    "SSLKEYLOGFILE",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

static size_t take(char *bytes, size_t size, size_t count, void *data)
{
	struct buf *body = data;

	buf_add(body, (struct view){bytes, size * count});
	return buf_ok(body) ? size * count : 0;
}

static bool is_loopback(const struct curl_sockaddr *address)
{
	if (address->family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, &address->addr, sizeof(in));
		return ntohl(in.sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
	}
	if (address->family == AF_INET6) {
		struct sockaddr_in6 in6;

		/* libcurl hands out room for any address behind the declared struct. */
		memcpy(&in6, (const char *)address + offsetof(struct curl_sockaddr, addr), sizeof(in6));
		return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
	}
	return false;
}

/* The name was checked as text; here is what it really resolved to. */
static curl_socket_t open_loopback(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)data;
	(void)purpose;
	if (!is_loopback(address))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool set_options(CURL *curl, const struct fetch_options *options, struct buf *body)
{
	const long milliseconds = (long)(options->timeout / 1000);
	CURLcode bad = CURLE_OK;

#define SET(option, value) bad = bad != CURLE_OK ? bad : curl_easy_setopt(curl, option, value)
	SET(CURLOPT_URL, options->url);
	SET(CURLOPT_PROTOCOLS_STR, options->loopback_only ? "http" : "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_TIMEOUT_MS, milliseconds);
	SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds);
	/* Else the end waits for a name look-up that was given up (CURLOPT_QUICK_EXIT(3)). */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)body->max);
	SET(CURLOPT_PROXY, options->loopback_only ? "" : options->proxy);
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_CAINFO, options->ca_file);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_PROXY_CAINFO, options->ca_file);
	SET(CURLOPT_PROXY_CAPATH, NULL);
	SET(CURLOPT_USERAGENT, "todo-fcgi");
	SET(CURLOPT_WRITEFUNCTION, take);
	SET(CURLOPT_WRITEDATA, body);
	if (options->loopback_only)
		SET(CURLOPT_OPENSOCKETFUNCTION, open_loopback);
#undef SET
	return bad == CURLE_OK;
}

/* Who can do something about it is not the same for each class. */
static const char *describe(long status)
{
	switch (status / 100) {
	case 3:
		return "the answer is not a 200 but a redirect, which is not followed";
	case 4:
		return "the answer is not a 200 but a 4xx: there is no key set at that path";
	case 5:
		return "the answer is not a 200 but a 5xx: the issuer fails";
	default:
		return "the answer is not a 200";
	}
}

const char *fetch(const struct fetch_options *options, struct buf *ret)
{
	CURL *curl = curl_easy_init();
	const char *fault = NULL;
	CURLcode code;
	long status = 0;

	if (!curl || !set_options(curl, options, ret)) {
		curl_easy_cleanup(curl);
		return "can't be fetched: no memory";
	}
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_FILESIZE_EXCEEDED || !buf_ok(ret))
		fault = "the answer is too large";
	else if (code != CURLE_OK)
		fault = curl_easy_strerror(code);
	else if (status != HTTP_OK)
		fault = describe(status);
	curl_easy_cleanup(curl);
	return fault;
}
