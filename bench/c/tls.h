/*
 * TLS of the load's clients, where it was compiled with OpenSSL (BENCH_TLS). They offer TLS 1.3 with one suite and one
 * group, so that every server does the same cryptography; certificates are not verified. Each client keeps the newest
 * ticket that it has been given, for its next connection.
 */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef BENCH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#else
typedef struct ssl_st SSL;
typedef struct ssl_session_st SSL_SESSION;
#endif

/* Of one connection; all NULL and 0 without TLS. */
struct tls {
  SSL *ssl;
  SSL_SESSION *session; /* outlives the connection */
};

enum handshake { HANDSHAKE_DONE, HANDSHAKE_GOES_ON, HANDSHAKE_FAILED };

/* Handshakes that resumed a session. */
static int handshakes_resumed;

#ifdef BENCH_TLS
static SSL_CTX *tls_context;

static int tls_keep_session(SSL *ssl, SSL_SESSION *session) {
  struct tls *tls = SSL_get_app_data(ssl);
  SSL_SESSION_free(tls->session);
  tls->session = session;
  return 1;
}

static SSL_CTX *tls_make_context(void) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set1_groups_list(context, "X25519");
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, tls_keep_session);
  return context;
}

/* Begins a handshake on a socket that is connected. */
static void tls_begin(struct tls *tls, int fd, const char *host, int resumes) {
  if (tls_context == NULL) tls_context = tls_make_context();
  tls->ssl = SSL_new(tls_context);
  SSL_set_app_data(tls->ssl, tls);
  SSL_set_fd(tls->ssl, fd);
  SSL_set_tlsext_host_name(tls->ssl, host);
  if (resumes && tls->session != NULL) SSL_set_session(tls->ssl, tls->session);
}

static enum handshake tls_handshake(struct tls *tls) {
  ERR_clear_error();
  int done = SSL_connect(tls->ssl);
  if (done == 1) {
    handshakes_resumed += SSL_session_reused(tls->ssl);
    return HANDSHAKE_DONE;
  }
  return SSL_get_error(tls->ssl, done) == SSL_ERROR_WANT_READ ? HANDSHAKE_GOES_ON : HANDSHAKE_FAILED;
}

static ssize_t tls_receive(struct tls *tls, void *buffer, size_t size) {
  ERR_clear_error();
  int count = SSL_read(tls->ssl, buffer, (int)size);
  if (count > 0) return count;
  int why = SSL_get_error(tls->ssl, count);
  if (why == SSL_ERROR_ZERO_RETURN) return 0;
  errno = why == SSL_ERROR_WANT_READ ? EAGAIN : ECONNRESET;
  return -1;
}

static ssize_t tls_send(struct tls *tls, const void *bytes, size_t size) {
  ERR_clear_error();
  return SSL_write(tls->ssl, bytes, (int)size);
}

/* Something has been read that was not taken yet, for which no event comes. */
static int tls_is_pending(const struct tls *tls) { return tls->ssl != NULL && SSL_has_pending(tls->ssl); }

/* Says goodbye: a session that ends without would not be resumed. */
static void tls_end(struct tls *tls) {
  if (tls->ssl == NULL) return;
  ERR_clear_error();
  if (!SSL_in_init(tls->ssl)) SSL_shutdown(tls->ssl);
  SSL_free(tls->ssl);
  tls->ssl = NULL;
}
#else
static void tls_begin(struct tls *tls, int fd, const char *host, int resumes) {
  (void)tls, (void)fd, (void)host, (void)resumes;
}
static enum handshake tls_handshake(struct tls *tls) {
  (void)tls;
  return HANDSHAKE_FAILED;
}
static ssize_t tls_receive(struct tls *tls, void *buffer, size_t size) {
  (void)tls, (void)buffer, (void)size;
  return -1;
}
static ssize_t tls_send(struct tls *tls, const void *bytes, size_t size) {
  (void)tls, (void)bytes, (void)size;
  return -1;
}
static int tls_is_pending(const struct tls *tls) {
  (void)tls;
  return 0;
}
static void tls_end(struct tls *tls) { (void)tls; }
#endif

#endif
