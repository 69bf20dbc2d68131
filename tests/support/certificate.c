/* Makes certificates by libcrypto. */
#include "support/certificate.h"

#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/random.h"

enum { HOUR = 3600 };

static void add_extension(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	cr_assert(extension && X509_add_ext(x509, extension, -1) == 1, "%s", value);
	X509_EXTENSION_free(extension);
}

static X509 *read_certificate(const char *path)
{
	FILE *file = fopen(path, "r");
	X509 *x509 = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
	cr_assert_not_null(x509, "%s", path);
	fclose(file);
	return x509;
}

static EVP_PKEY *read_key(const char *path)
{
	FILE *file = fopen(path, "r");
	EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
	cr_assert_not_null(key, "%s", path);
	fclose(file);
	return key;
}

static void sign(X509 *x509, EVP_PKEY *own, const struct certificate *issuer)
{
	X509 *by = issuer ? read_certificate(issuer->file) : x509;
	EVP_PKEY *key = issuer ? read_key(issuer->key) : own;
	X509_set_issuer_name(x509, X509_get_subject_name(by));
	cr_assert_gt(X509_sign(x509, key, EVP_sha256()), 0);
	if (issuer) {
		X509_free(by);
		EVP_PKEY_free(key);
	}
}

static void write_files(const struct certificate *files, X509 *x509, EVP_PKEY *key)
{
	FILE *file = fopen(files->file, "w");
	cr_assert(file && PEM_write_X509(file, x509) == 1 && fclose(file) == 0, "%s", files->file);
	file = fopen(files->key, "w");
	cr_assert(file && fchmod(fileno(file), 0600) == 0 &&
	                  PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(file) == 0,
	          "%s", files->key);
}

struct certificate certificate_make(const char *folder, const char *name, const struct certificate_ask *ask)
{
	struct certificate files;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x509 = X509_new();
	uint32_t serial;
	bool dated = ask->from != 0 || ask->until != 0;
	cr_assert(key && x509 && random_bytes(&serial, sizeof serial));
	snprintf(files.file, sizeof files.file, "%s/%s.crt", folder, name);
	snprintf(files.key, sizeof files.key, "%s/%s.key", folder, name);
	X509_set_version(x509, X509_VERSION_3);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial);
	X509_gmtime_adj(X509_getm_notBefore(x509), dated ? ask->from : -HOUR);
	X509_gmtime_adj(X509_getm_notAfter(x509), dated ? ask->until : HOUR);
	X509_set_pubkey(x509, key);
	/* An authority has the name of its file, so that two of them are two. */
	const char *common_name = ask->common_name ? ask->common_name : ask->names ? "test" : name;
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC, (const unsigned char *)common_name,
	                           -1, -1, 0);
	if (ask->names)
		add_extension(x509, NID_subject_alt_name, ask->names);
	else
		add_extension(x509, NID_basic_constraints, "critical,CA:TRUE");
	sign(x509, key, ask->issuer);
	write_files(&files, x509, key);
	X509_free(x509);
	EVP_PKEY_free(key);
	return files;
}
