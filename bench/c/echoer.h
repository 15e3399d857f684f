/* WebSockets that each send a message, wait until it has come back, compare it and send the next. */
#ifndef BENCH_ECHOER_H
#define BENCH_ECHOER_H

#include "loop.h"

/* Bytes of the longest message. */
#define ECHO_MAX 4096
/* Bytes of the longest head of a frame that is sent. */
#define ECHO_HEAD 8

struct echoer {
  struct source source;
  uint8_t is_open;
  uint8_t is_connected;
  struct message in;
  uint64_t number; /* of its message */
  uint64_t asked_at;
  size_t got;
  uint8_t received[ECHO_MAX + ECHO_HEAD];
};

static struct echoing {
  struct echoer *echoers;
  char path[256];
  size_t size; /* of a message */
  int goes_on;
  int opened;
  uint64_t done, wrong, failed;
  struct latency times;
} echoing;

/* The message, different for each connection and each time, as printable text. */
static void echo_text(const struct echoer *echoer, char *out) {
  char number[32];
  int length = snprintf(number, sizeof number, "%05d:%012llu:", (int)(echoer - echoing.echoers), (unsigned long long)echoer->number);
  for (size_t i = 0; i < echoing.size; i++) out[i] = i < (size_t)length ? number[i] : (char)('a' + i % 26);
}

static void echoer_close(struct echoer *echoer, const char *why) {
  if (echoer->source.fd < 0) return;
  if (why != NULL) {
    echoing.failed++;
    note_failure("WebSocket", why);
  }
  if (echoer->is_open) echoing.opened--;
  echoer->is_open = 0;
  close(echoer->source.fd);
  echoer->source.fd = -1;
  message_reset(&echoer->in, 1);
}

static size_t frame_head(uint8_t *out, size_t length, uint8_t mask) {
  out[0] = 0x81;
  if (length < 126) {
    out[1] = (uint8_t)length | mask;
    return 2;
  }
  out[1] = 126 | mask;
  out[2] = (uint8_t)(length >> 8);
  out[3] = (uint8_t)length;
  return 4;
}

static void echoer_say(struct echoer *echoer) {
  static const uint8_t mask[4] = {0x1b, 0x5e, 0xc7, 0x92};
  uint8_t frame[ECHO_MAX + ECHO_HEAD];
  echoer->number++;
  size_t head = frame_head(frame, echoing.size, 0x80);
  memcpy(frame + head, mask, 4);
  head += 4;
  echo_text(echoer, (char *)frame + head);
  for (size_t i = 0; i < echoing.size; i++) frame[head + i] ^= mask[i & 3];
  echoer->got = 0;
  echoer->asked_at = now_ns();
  if (send(echoer->source.fd, frame, head + echoing.size, MSG_NOSIGNAL) != (ssize_t)(head + echoing.size)) echoer_close(echoer, "a message could not be sent");
}

/* Whether the message has come back. */
static int is_echo(const struct echoer *echoer) {
  uint8_t expected[ECHO_MAX + ECHO_HEAD];
  size_t head = frame_head(expected, echoing.size, 0);
  echo_text(echoer, (char *)expected + head);
  return memcmp(expected, echoer->received, head + echoing.size) == 0;
}

static void echoer_take(struct echoer *echoer, const char *at, size_t length) {
  uint8_t head[ECHO_HEAD];
  size_t wanted = frame_head(head, echoing.size, 0) + echoing.size;
  if (echoer->got + length > wanted) return echoer_close(echoer, "more came than was sent");
  memcpy(echoer->received + echoer->got, at, length);
  echoer->got += length;
  if (echoer->got < wanted) return;
  if (!is_echo(echoer)) {
    echoing.wrong++;
    note_failure("echo", "another message came back");
  }
  echoing.done++;
  latency_add(&echoing.times, now_ns() - echoer->asked_at);
  if (echoing.goes_on) echoer_say(echoer);
}

static void echoer_ask(struct echoer *echoer) {
  char request[512];
  echoer->is_connected = 1;
  int length = sprintf(request, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                       echoing.path, options.host);
  if (send(echoer->source.fd, request, (size_t)length, MSG_NOSIGNAL) != length) echoer_close(echoer, "the handshake could not be sent");
}

static void echoer_read(struct echoer *echoer) {
  ssize_t count = recv(echoer->source.fd, read_buffer, READ_MAX, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return echoer_close(echoer, "it was closed");
  char *at = read_buffer;
  const char *head;
  size_t length;
  if (!echoer->is_open) {
    if (message_next(&echoer->in, &at, read_buffer + count, &head, &length) == NEED_MORE) return;
    if (status_of(head) != 101) return echoer_close(echoer, head);
    echoer->is_open = 1;
    echoing.opened++;
  }
  if (at < read_buffer + count) echoer_take(echoer, at, (size_t)(read_buffer + count - at));
}

static void echoer_ready(struct source *source, uint32_t events) {
  struct echoer *echoer = (struct echoer *)source;
  if ((events & EPOLLOUT) != 0) {
    watch(source, EPOLL_CTL_MOD, EPOLLIN);
    if (!echoer->is_connected) echoer_ask(echoer);
  }
  if (source->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) echoer_read(echoer);
}

#endif
