/* A small HTTP or HTTPS server on loopback that serves key sets well or badly, in a process of its own. */
#ifndef SUPPORT_AUTH_SERVER_H
#define SUPPORT_AUTH_SERVER_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/view.h"

enum auth_server_manner {
	AUTH_SERVER_OK,        /* 200 and the body */
	AUTH_SERVER_ACCEPTED,  /* 202 and the body */
	AUTH_SERVER_REDIRECT,  /* 302 to /elsewhere, where the body is */
	AUTH_SERVER_ERROR,     /* 500 and the body */
	AUTH_SERVER_NOT_FOUND, /* 404 and the body */
	AUTH_SERVER_HUGE,      /* 200 and 10 MB, announced */
	AUTH_SERVER_ENDLESS,   /* 200 and 10 MB, chunked */
	AUTH_SERVER_CUT,       /* 200 and half of the body that it announced */
	AUTH_SERVER_SILENT,    /* nothing, until the client hangs up */
	AUTH_SERVER_GATED,     /* 200 and the body, once `open` is set */
};

enum { AUTH_SERVER_BODY_MAX = 64 * 1024, AUTH_SERVER_REQUEST_MAX = 4096 };

/* Shared with the server's process. */
struct auth_server_state {
	_Atomic int manner;
	_Atomic int hits; /* requests that came */
	_Atomic int open;
	size_t body_len;
	char body[AUTH_SERVER_BODY_MAX];
	char request[AUTH_SERVER_REQUEST_MAX]; /* head of the last one */
};

struct auth_server {
	pid_t pid;
	int port;
	char url[128]; /* http(s)://127.0.0.1:port/api/auth/jwks */
	struct auth_server_state *state;
};

/* Starts a server. For https: PEM files of its certificate and key; NULL: http. */
struct auth_server auth_server_start(const char *certificate, const char *key);
void auth_server_stop(struct auth_server *server);

/* Sets what it serves from now on. */
void auth_server_serve(struct auth_server *server, enum auth_server_manner manner, struct view body);

#endif
