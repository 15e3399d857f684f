/* Kept-alive connections that each ask, read the whole answer, check it and ask again. */
#ifndef BENCH_ASKER_H
#define BENCH_ASKER_H

#include "loop.h"

/* Bytes of the largest body that is sent or compared. */
#define ASKED_BODY_MAX (4 * 1024 * 1024)

struct asker {
  struct source source;
  uint8_t connected;
  struct message in;
  size_t sent, got;
  uint64_t asked_at;
};

static struct asking {
  struct asker *askers;
  char *request;
  size_t length;
  size_t answer_size; /* of a right answer */
  int is_pattern;     /* whether its bytes are those of the origin's pattern, too */
  int goes_on;
  uint64_t done, wrong, failed;
  struct latency times;
} asking;
static char asked_pattern[ASKED_BODY_MAX];

static void asker_flush(struct asker *asker) {
  while (asker->sent < asking.length) {
    ssize_t sent = send(asker->source.fd, asking.request + asker->sent, asking.length - asker->sent, MSG_NOSIGNAL);
    if (sent < 0) return watch(&asker->source, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    asker->sent += (size_t)sent;
  }
}

static void asker_ask(struct asker *asker) {
  message_reset(&asker->in, 1);
  asker->sent = asker->got = 0;
  asker->asked_at = now_ns();
  asker_flush(asker);
}

static void asker_close(struct asker *asker) {
  close(asker->source.fd);
  asker->source.fd = -1;
  asker->connected = 0;
  message_reset(&asker->in, 1);
}

static void asker_read(struct asker *asker) {
  ssize_t count = recv(asker->source.fd, read_buffer, READ_MAX, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) {
    asking.failed++;
    note_failure("request", "the connection was closed");
    asker_close(asker);
    connect_source(&asker->source, options.port);
    return;
  }
  char *at = read_buffer;
  const char *data;
  size_t length;
  for (;;) {
    switch (message_next(&asker->in, &at, read_buffer + count, &data, &length)) {
      case NEED_MORE: return;
      case HEAD:
        if (status_of(data) == 200) break;
        asking.wrong++;
        note_failure("answer", data);
        break;
      case DATA:
        if (asking.is_pattern && asker->got + length <= ASKED_BODY_MAX && memcmp(asked_pattern + asker->got, data, length) != 0) asking.wrong++;
        asker->got += length;
        break;
      case END:
        if (asker->got != asking.answer_size) asking.wrong++;
        asking.done++;
        latency_add(&asking.times, now_ns() - asker->asked_at);
        if (!asking.goes_on) return;
        return asker_ask(asker);
    }
  }
}

static void asker_ready(struct source *source, uint32_t events) {
  struct asker *asker = (struct asker *)source;
  if ((events & EPOLLOUT) != 0) {
    watch(source, EPOLL_CTL_MOD, EPOLLIN);
    if (!asker->connected) {
      asker->connected = 1;
      asker_ask(asker);
    } else asker_flush(asker);
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) asker_read(asker);
}

#endif
