/* The clients that are held: opening them, and comparing every byte they receive with what was published. */
#ifndef BENCH_HOLD_H
#define BENCH_HOLD_H

#include "item.h"
#include "tls.h"

enum phase { CLOSED, CONNECTING, SHAKING_HANDS, ASKED, HELD, ANSWERED };

struct hold {
  struct source source;
  struct tls tls;
  uint8_t phase;
  uint8_t begun;       /* the initial body is over */
  uint8_t frame_head[10];
  uint8_t frame_filled;
  uint8_t frame_is_item;
  uint64_t frame_left;
  struct message in;
  uint64_t got;         /* bytes of `expected` received */
  uint64_t received_at; /* ns, of the last whole item */
};

/* Bytes of the request of a hold, its own field included. */
#define REQUEST_MAX 2048

static struct hold *holds;
/* A field of each hold's own; NULL where there are none. */
static char **own_fields;
static enum { A_STREAM, A_WEBSOCKET, A_POLL } held_as;

/* Since the last clear_totals(). */
static struct totals {
  uint64_t deliveries, wrong, broken, bytes;
} totals;
static int opened, pending, failed;
/* Whether sessions of TLS that are known are resumed. */
static int resumes;
static struct latency receipts;

static void hold_close(struct hold *hold, int is_wrong) {
  if (hold->phase == CONNECTING || hold->phase == SHAKING_HANDS || hold->phase == ASKED) {
    pending--;
    failed++;
  } else if (hold->phase == HELD) {
    opened--;
    if (is_wrong) totals.broken++;
  }
  tls_end(&hold->tls);
  close(hold->source.fd);
  message_reset(&hold->in, 1);
  hold->phase = CLOSED;
}

static void hold_opened(struct hold *hold) {
  hold->phase = HELD;
  pending--;
  opened++;
}

/* Takes bytes that an item is made of. */
static void take_bytes(struct hold *hold, const char *data, size_t length) {
  if (!hold->begun) {
    const char *mark = memchr(data, '#', length);
    if (mark == NULL) return;
    length -= (size_t)(mark - data);
    data = mark;
    hold->begun = 1;
  }
  uint64_t room = expected_length - hold->got;
  if (length > room || memcmp(expected + hold->got, data, length) != 0) {
    totals.wrong++;
    return;
  }
  uint64_t size = (uint64_t)options.size, first = hold->got / size;
  hold->got += length;
  uint64_t end = hold->got / size;
  if (first == end) return;
  hold->received_at = now_ns();
  totals.deliveries += end - first;
  for (uint64_t i = first; i < end; i++) {
    if (due_at[i] > 0) latency_add(&receipts, hold->received_at - due_at[i]);
  }
}

static size_t frame_head_length(const uint8_t *head, size_t filled) {
  if (filled < 2) return 2;
  int short_length = head[1] & 127;
  return short_length == 127 ? 10 : short_length == 126 ? 4 : 2;
}

static void frame_begins(struct hold *hold) {
  const uint8_t *head = hold->frame_head;
  size_t length = frame_head_length(head, 2);
  hold->frame_is_item = (head[0] & 15) <= 2;
  hold->frame_left = 0;
  if (length == 2) hold->frame_left = head[1] & 127;
  for (size_t i = 2; i < length; i++) hold->frame_left = hold->frame_left << 8 | head[i];
}

static void take_frames(struct hold *hold, const char *at, const char *end) {
  while (at < end) {
    size_t wanted = frame_head_length(hold->frame_head, hold->frame_filled);
    if (hold->frame_filled < wanted) {
      hold->frame_head[hold->frame_filled++] = (uint8_t)*at++;
      if (hold->frame_filled == frame_head_length(hold->frame_head, hold->frame_filled) && hold->frame_filled >= 2) frame_begins(hold);
      if (hold->frame_filled < frame_head_length(hold->frame_head, hold->frame_filled) || hold->frame_left > 0) continue;
    } else {
      size_t here = (size_t)(end - at);
      if (here > hold->frame_left) here = (size_t)hold->frame_left;
      if (hold->frame_is_item) take_bytes(hold, at, here);
      at += here;
      hold->frame_left -= here;
      if (hold->frame_left > 0) continue;
    }
    hold->frame_filled = 0;
  }
}

/* The head of an answer: what a stream and a WebSocket count as held from; to a poll it means that an item has come. */
static int take_head_of(struct hold *hold, const char *head) {
  int status = status_of(head);
  if (status != (held_as == A_WEBSOCKET ? 101 : 200)) {
    note_failure("answer", head);
    hold_close(hold, 1);
    return 0;
  }
  if (held_as != A_POLL) hold_opened(hold);
  return 1;
}

static void poll_answered(struct hold *hold) {
  message_reset(&hold->in, 1);
  if (hold->got != expected_length) totals.wrong++;
  hold->phase = ANSWERED;
  opened--;
}

static ssize_t hold_receive(struct hold *hold) {
  if (hold->tls.ssl != NULL) return tls_receive(&hold->tls, read_buffer, READ_MAX);
  return recv(hold->source.fd, read_buffer, READ_MAX, 0);
}

static void take_read(struct hold *hold, char *at, char *end) {
  const char *data;
  size_t length;
  if (held_as == A_WEBSOCKET && hold->phase == HELD) return take_frames(hold, at, end);
  for (;;) {
    switch (message_next(&hold->in, &at, end, &data, &length)) {
      case NEED_MORE: return;
      case HEAD:
        if (!take_head_of(hold, data)) return;
        if (held_as == A_WEBSOCKET) return take_frames(hold, at, end);
        break;
      case DATA: take_bytes(hold, data, length); break;
      case END:
        if (held_as == A_POLL) return poll_answered(hold);
        note_failure("held stream", "ended");
        return hold_close(hold, 1);
    }
  }
}

static void hold_read(struct hold *hold) {
  do {
    ssize_t count = hold_receive(hold);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      if (hold->phase != ANSWERED) note_failure("held connection", count == 0 ? "closed" : strerror(errno));
      return hold_close(hold, 1);
    }
    totals.bytes += (uint64_t)count;
    take_read(hold, read_buffer, read_buffer + count);
  } while (tls_is_pending(&hold->tls));
}

/* Reads the fields of which each hold has its own, such as a token: one a line. */
static void read_own_fields(const char *file) {
  FILE *lines = fopen(file, "r");
  size_t room = 0;
  ssize_t length;
  if (lines == NULL) return note_failure("fields", strerror(errno));
  own_fields = calloc((size_t)options.count, sizeof *own_fields);
  for (int i = 0; i < options.count && (length = getline(&own_fields[i], &room, lines)) > 0; i++, room = 0)
    own_fields[i][strcspn(own_fields[i], "\n")] = 0;
  fclose(lines);
}

static size_t request_of(const struct hold *hold, char *out, size_t room) {
  char path[320];
  const char *own = own_fields == NULL ? NULL : own_fields[hold - holds];
  snprintf(path, sizeof path, options.path, (int)(hold - holds));
  return (size_t)snprintf(out, room, "GET %s HTTP/1.1\r\nHost: %s\r\n%s%s%s%s\r\n", path, options.host,
                          held_as == A_WEBSOCKET ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                                 : "",
                          options.header, own == NULL ? "" : own, own == NULL ? "" : "\r\n");
}

static void hold_ask(struct hold *hold) {
  char request[REQUEST_MAX];
  size_t length = request_of(hold, request, sizeof request);
  if (length >= sizeof request) {
    note_failure("request", "too long");
    return hold_close(hold, 1);
  }
  message_reset(&hold->in, 1);
  hold->begun = held_as != A_STREAM;
  hold->frame_filled = 0;
  hold->got = expected_length;
  hold->phase = ASKED;
  ssize_t sent = hold->tls.ssl != NULL ? tls_send(&hold->tls, request, length) : send(hold->source.fd, request, length, MSG_NOSIGNAL);
  if (sent != (ssize_t)length) return hold_close(hold, 1);
  if (held_as == A_POLL) hold_opened(hold); /* nothing comes back that would tell */
}

static void hold_shake_hands(struct hold *hold) {
  enum handshake handshake = tls_handshake(&hold->tls);
  if (handshake == HANDSHAKE_DONE) return hold_ask(hold);
  if (handshake == HANDSHAKE_GOES_ON) return;
  note_failure("handshake", "failed");
  hold_close(hold, 1);
}

static void hold_ready(struct source *source, uint32_t events) {
  struct hold *hold = (struct hold *)source;
  if (hold->phase == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      note_failure("connect", strerror(error));
      return hold_close(hold, 1);
    }
    watch(source, EPOLL_CTL_MOD, EPOLLIN);
    if (!options.tls) return hold_ask(hold);
    tls_begin(&hold->tls, source->fd, options.host, resumes);
    hold->phase = SHAKING_HANDS;
    hold_shake_hands(hold);
  } else if (hold->phase == SHAKING_HANDS) hold_shake_hands(hold);
  else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) hold_read(hold);
}

/* Opens what is closed, and asks once more where a poll has been answered. */
static void hold_open(struct hold *hold) {
  hold->source.ready = hold_ready;
  pending++;
  if (hold->phase == ANSWERED) return hold_ask(hold);
  hold->phase = CONNECTING;
  if (connect_source(&hold->source, options.port)) return;
  hold->phase = CLOSED;
  pending--;
  failed++;
}

#endif
