/*
 * HTTP/1.1 messages, taken apart as they come in: where a head ends, how its body is framed (length, chunks, end of
 * connection), and the bytes of that body. Trusts the other side to be well-formed: it is a bench, not a server.
 */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum message_state { IN_HEAD, IN_LENGTH, IN_CHUNK_SIZE, IN_CHUNK, AFTER_CHUNK, IN_TRAILER, UNTIL_CLOSE, AT_END };
enum message_event { NEED_MORE, HEAD, DATA, END };

struct message {
  uint8_t state;
  uint8_t is_response;
  uint16_t line; /* bytes of the present trailer line */
  uint32_t kept; /* bytes of an incomplete head in `part` */
  uint64_t left; /* bytes to come of the body or of the present chunk */
  char *part;
};

static inline void message_reset(struct message *m, int is_response) {
  free(m->part);
  memset(m, 0, sizeof *m);
  m->is_response = (uint8_t)is_response;
}

/* The value of a header field (name in any case), up to its CR; NULL when there is none. */
static inline const char *field_of(const char *head, const char *name) {
  size_t length = strlen(name);
  for (const char *line = strchr(head, '\n'); line != NULL; line = strchr(line, '\n')) {
    line++;
    if (strncasecmp(line, name, length) != 0 || line[length] != ':') continue;
    const char *value = line + length + 1;
    while (*value == ' ') value++;
    return value;
  }
  return NULL;
}

static inline int status_of(const char *head) { return atoi(head + 9); }

static inline void frame_body(struct message *m, const char *head) {
  int status = m->is_response ? status_of(head) : 0;
  const char *coding = field_of(head, "transfer-encoding");
  const char *length = field_of(head, "content-length");
  if (status == 101 || status == 204 || status == 304) m->state = AT_END;
  else if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0) m->state = IN_CHUNK_SIZE;
  else if (length != NULL) m->state = (m->left = strtoull(length, NULL, 10)) > 0 ? IN_LENGTH : AT_END;
  else m->state = m->is_response ? UNTIL_CLOSE : AT_END;
  if (m->state == IN_CHUNK_SIZE) m->left = 0;
}

/* Finds the end of a head in `*at`..`end`, which it makes a string; keeps what is there when it is not all there. */
static inline const char *take_head(struct message *m, char **at, char *end) {
  char *stop = memmem(*at, (size_t)(end - *at), "\r\n\r\n", 4);
  if (stop != NULL && m->kept == 0) {
    const char *head = *at;
    stop[2] = 0;
    *at = stop + 4;
    return head;
  }
  size_t had = m->kept, more = (size_t)(end - *at);
  m->part = realloc(m->part, had + more + 1);
  memcpy(m->part + had, *at, more);
  m->kept = (uint32_t)(had + more);
  char *found = memmem(m->part, m->kept, "\r\n\r\n", 4);
  if (found == NULL) {
    *at = end;
    return NULL;
  }
  *at += (size_t)(found + 4 - m->part) - had;
  found[2] = 0;
  return m->part;
}

static inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 32;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * The next thing in `*at`..`end`: a head (`*data`, a string valid until the next call), bytes of the body (`*data`,
 * `*length`), or its end. After END, message_reset() begins the next message of the connection. An end by closing is the
 * caller's to see.
 */
static inline enum message_event message_next(struct message *m, char **at, char *end, const char **data, size_t *length) {
  for (;;) {
    if (m->state == AT_END) return END;
    if (*at == end) return NEED_MORE;
    switch (m->state) {
      case IN_HEAD: {
        const char *head = take_head(m, at, end);
        if (head == NULL) return NEED_MORE;
        frame_body(m, head);
        *data = head;
        return HEAD;
      }
      case IN_CHUNK_SIZE: {
        char c = *(*at)++;
        int digit = hex_digit(c);
        if (digit >= 0) m->left = m->left * 16 + (uint64_t)digit;
        else if (c == '\n') m->state = m->left > 0 ? IN_CHUNK : IN_TRAILER;
        break;
      }
      case AFTER_CHUNK:
        if (*(*at)++ == '\n') m->state = IN_CHUNK_SIZE;
        break;
      case IN_TRAILER: {
        char c = *(*at)++;
        if (c == '\n' && m->line == 0) m->state = AT_END;
        else if (c == '\n') m->line = 0;
        else if (c != '\r') m->line++;
        break;
      }
      default: { /* IN_LENGTH, IN_CHUNK, UNTIL_CLOSE */
        size_t here = (size_t)(end - *at);
        if (m->state != UNTIL_CLOSE && here > m->left) here = (size_t)m->left;
        *data = *at;
        *length = here;
        *at += here;
        if (m->state == UNTIL_CLOSE) return DATA;
        m->left -= here;
        if (m->left == 0) m->state = m->state == IN_CHUNK ? AFTER_CHUNK : AT_END;
        return DATA;
      }
    }
  }
}

#endif
