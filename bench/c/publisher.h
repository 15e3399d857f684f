/* Kept-alive connections to the control API, what is posted there and when it was acknowledged. */
#ifndef BENCH_PUBLISHER_H
#define BENCH_PUBLISHER_H

#include "item.h"

/* Connections that publish at once. */
#define PUBLISHERS_MAX 64

static struct publisher {
  struct source source;
  struct message in;
  char *out;
  size_t out_length, out_done;
  int awaited; /* acknowledgements to come */
  int closes;  /* the other side says that it closes after this answer, as Pushpin does after every one */
  int status;  /* of the last answer that was not 2xx, until it is looked at */
  uint64_t acknowledged_at;
} publishers[PUBLISHERS_MAX];

/* The one that publishes where one is enough. */
static struct publisher *const publisher = publishers;
/* Publishes that were not answered by 2xx, of all connections. */
static uint64_t refused;

static void publisher_flush(struct publisher *p) {
  while (p->out_done < p->out_length) {
    ssize_t sent = send(p->source.fd, p->out + p->out_done, p->out_length - p->out_done, MSG_NOSIGNAL);
    if (sent < 0) return;
    p->out_done += (size_t)sent;
  }
  watch(&p->source, EPOLL_CTL_MOD, EPOLLIN);
}

/* The next publish connects again. */
static void publisher_close(struct publisher *p) {
  close(p->source.fd);
  p->source.fd = -1;
  p->closes = 0;
  message_reset(&p->in, 1);
}

static void publisher_lost(struct publisher *p) {
  publisher_close(p);
  if (p->awaited == 0) return;
  note_failure("control API", "the connection was closed");
  refused += (uint64_t)p->awaited;
  p->status = -1;
  p->awaited = 0;
  p->out_done = p->out_length;
}

static void publisher_read(struct publisher *p) {
  ssize_t got = recv(p->source.fd, read_buffer, READ_MAX, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return publisher_lost(p);
  char *at = read_buffer;
  const char *data;
  size_t length;
  for (;;) {
    switch (message_next(&p->in, &at, read_buffer + got, &data, &length)) {
      case NEED_MORE: return;
      case DATA: break;
      case HEAD: {
        const char *connection = field_of(data, "connection");
        p->closes = connection != NULL && strncasecmp(connection, "close", 5) == 0;
        if (status_of(data) / 100 == 2) break;
        refused++;
        p->status = status_of(data);
        note_failure("control API", data);
        break;
      }
      case END:
        message_reset(&p->in, 1);
        p->awaited--;
        p->acknowledged_at = now_ns();
        if (p->closes) return publisher_close(p);
        break;
    }
  }
}

static void publisher_ready(struct source *source, uint32_t events) {
  struct publisher *p = (struct publisher *)source;
  if ((events & EPOLLOUT) != 0) publisher_flush(p);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) publisher_read(p);
}

static void publisher_connect(struct publisher *p) {
  if (p->source.fd > 0) return;
  p->source.ready = publisher_ready;
  message_reset(&p->in, 1);
  connect_source(&p->source, options.control_port);
}

/* Sends what was put into `out`; `acknowledgements` answers are to come. */
static void publisher_send(struct publisher *p, size_t length, int acknowledgements) {
  p->out_length = length;
  p->out_done = 0;
  p->awaited = acknowledgements;
  if (p->source.fd <= 0) publisher_connect(p);
  else {
    ssize_t sent = send(p->source.fd, p->out, length, MSG_NOSIGNAL);
    p->out_done = sent < 0 ? 0 : (size_t)sent;
    if (p->out_done < length) watch(&p->source, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
}

/*
 * Publishes the next `batch` items to everybody: in one call of GRIP's control API; for Nchan, which has none for
 * several, as so many requests in one write; for the bare loop as so many bytes.
 */
static void publish_items(int batch) {
  struct publisher *p = publisher;
  size_t room = published_room() * (size_t)batch + 1024, length = 0;
  char *body = malloc(room);
  p->out = realloc(p->out, room * 2);
  if (strcmp(options.format, "nchan") == 0) {
    for (int i = 0; i < batch; i++) length += post(p->out + length, options.publish_path, next_item(), (size_t)options.size);
    publisher_send(p, length, batch);
  } else if (strcmp(options.format, "raw") == 0) {
    for (int i = 0; i < batch; i++) memcpy(body + i * options.size, next_item(), (size_t)options.size);
    publisher_send(p, post(p->out, options.publish_path, body, (size_t)(batch * options.size)), 1);
  } else {
    length = (size_t)sprintf(body, "{\"items\":[");
    for (int i = 0; i < batch; i++) {
      if (i > 0) body[length++] = ',';
      length += grip_entry(body + length, options.channel, next_item());
    }
    length += (size_t)sprintf(body + length, "]}");
    publisher_send(p, post(p->out, options.publish_path, body, length), 1);
  }
  free(body);
}

/* Nchan takes one item a call: so many requests in one write. */
static void post_to_channels(struct publisher *p, int first, int count, const char *item) {
  size_t length = 0;
  p->out = realloc(p->out, (published_room() + 1024) * (size_t)count);
  for (int i = first; i < first + count; i++) {
    char path[320];
    snprintf(path, sizeof path, options.publish_path, i);
    length += post(p->out + length, path, item, (size_t)options.size);
  }
  publisher_send(p, length, count);
}

/*
 * Publishes one item on each of the channels c<first> … c<first + count - 1> in one call. With ids one that is
 * published again, because the answer to the first try was an error, goes out once.
 */
static void publish_to_channels(struct publisher *p, int first, int count, const char *item, int has_ids) {
  if (strcmp(options.format, "nchan") == 0) return post_to_channels(p, first, count, item);
  size_t room = published_room() * (size_t)count + 1024;
  char *body = malloc(room), channel[16];
  p->out = realloc(p->out, room * 2);
  size_t length = (size_t)sprintf(body, "{\"items\":[");
  for (int i = 0; i < count; i++) {
    snprintf(channel, sizeof channel, "c%d", first + i);
    if (i > 0) body[length++] = ',';
    length += grip_entry(body + length, channel, item);
    if (!has_ids) continue;
    length--; /* over the closing brace */
    length += (size_t)sprintf(body + length, ",\"id\":\"%.*s\"}", ITEM_MIN - 1, item);
  }
  length += (size_t)sprintf(body + length, "]}");
  publisher_send(p, post(p->out, options.publish_path, body, length), 1);
  free(body);
}

#endif
