/* Certificates for tests: authorities, and servers they vouch for, in time and out of it. */
#ifndef SUPPORT_CERTIFICATE_H
#define SUPPORT_CERTIFICATE_H

#include "base/view.h"

enum { CERTIFICATE_PATH = 544 };

/* PEM files of a certificate and its key. */
struct certificate {
	char file[CERTIFICATE_PATH];
	char key[CERTIFICATE_PATH];
};

struct certificate_ask {
	const char *names;       /* as in openssl's subjectAltName: "DNS:db.example,IP:192.0.2.1"; NULL: an authority */
	const char *common_name; /* NULL: "test" */
	const struct certificate *issuer; /* NULL: itself */
	long from, until;                 /* seconds from now; both 0: an hour back, an hour ahead */
};

/* Makes folder/NAME.crt and folder/NAME.key; a failure fails the test. */
struct certificate certificate_make(const char *folder, const char *name, const struct certificate_ask *ask);

#endif
