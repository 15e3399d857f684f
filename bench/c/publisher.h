/* One kept-alive connection to the control API, what is posted there and when it was acknowledged. */
#ifndef BENCH_PUBLISHER_H
#define BENCH_PUBLISHER_H

#include "item.h"

static struct publisher {
  struct source source;
  struct message in;
  char *out;
  size_t out_length, out_done;
  int awaited; /* acknowledgements to come */
  int closes;  /* the other side says that it closes after this answer, as Pushpin does after every one */
  int status;  /* of the last answer that was not 2xx, until it is looked at */
  uint64_t acknowledged_at, refused;
} publisher;

static void publisher_flush(void) {
  while (publisher.out_done < publisher.out_length) {
    ssize_t sent = send(publisher.source.fd, publisher.out + publisher.out_done, publisher.out_length - publisher.out_done, MSG_NOSIGNAL);
    if (sent < 0) return;
    publisher.out_done += (size_t)sent;
  }
  watch(&publisher.source, EPOLL_CTL_MOD, EPOLLIN);
}

/* The next publish connects again. */
static void publisher_close(void) {
  close(publisher.source.fd);
  publisher.source.fd = -1;
  publisher.closes = 0;
  message_reset(&publisher.in, 1);
}

static void publisher_lost(void) {
  publisher_close();
  if (publisher.awaited == 0) return;
  note_failure("control API", "the connection was closed");
  publisher.refused += (uint64_t)publisher.awaited;
  publisher.status = -1;
  publisher.awaited = 0;
  publisher.out_done = publisher.out_length;
}

static void publisher_read(void) {
  ssize_t got = recv(publisher.source.fd, read_buffer, READ_MAX, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return publisher_lost();
  char *at = read_buffer;
  const char *data;
  size_t length;
  for (;;) {
    switch (message_next(&publisher.in, &at, read_buffer + got, &data, &length)) {
      case NEED_MORE: return;
      case DATA: break;
      case HEAD: {
        const char *connection = field_of(data, "connection");
        publisher.closes = connection != NULL && strncasecmp(connection, "close", 5) == 0;
        if (status_of(data) / 100 == 2) break;
        publisher.refused++;
        publisher.status = status_of(data);
        note_failure("control API", data);
        break;
      }
      case END:
        message_reset(&publisher.in, 1);
        publisher.awaited--;
        publisher.acknowledged_at = now_ns();
        if (publisher.closes) return publisher_close();
        break;
    }
  }
}

static void publisher_ready(struct source *source, uint32_t events) {
  (void)source;
  if ((events & EPOLLOUT) != 0) publisher_flush();
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) publisher_read();
}

static void publisher_connect(void) {
  if (publisher.source.fd > 0) return;
  publisher.source.ready = publisher_ready;
  message_reset(&publisher.in, 1);
  connect_source(&publisher.source, options.control_port);
}

/* Sends what was put into `out`; `acknowledgements` answers are to come. */
static void publisher_send(size_t length, int acknowledgements) {
  publisher.out_length = length;
  publisher.out_done = 0;
  publisher.awaited = acknowledgements;
  if (publisher.source.fd <= 0) publisher_connect();
  else {
    ssize_t sent = send(publisher.source.fd, publisher.out, length, MSG_NOSIGNAL);
    publisher.out_done = sent < 0 ? 0 : (size_t)sent;
    if (publisher.out_done < length) watch(&publisher.source, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
}

/*
 * Publishes the next `batch` items to everybody: in one call of GRIP's control API; for Nchan, which has none for
 * several, as so many requests in one write; for the bare loop as so many bytes.
 */
static void publish_items(int batch) {
  size_t room = published_room() * (size_t)batch + 1024, length = 0;
  char *body = malloc(room);
  publisher.out = realloc(publisher.out, room * 2);
  if (strcmp(options.format, "nchan") == 0) {
    for (int i = 0; i < batch; i++) length += post(publisher.out + length, options.publish_path, next_item(), (size_t)options.size);
    publisher_send(length, batch);
  } else if (strcmp(options.format, "raw") == 0) {
    for (int i = 0; i < batch; i++) memcpy(body + i * options.size, next_item(), (size_t)options.size);
    publisher_send(post(publisher.out, options.publish_path, body, (size_t)(batch * options.size)), 1);
  } else {
    length = (size_t)sprintf(body, "{\"items\":[");
    for (int i = 0; i < batch; i++) {
      if (i > 0) body[length++] = ',';
      length += grip_entry(body + length, options.channel, next_item());
    }
    length += (size_t)sprintf(body + length, "]}");
    publisher_send(post(publisher.out, options.publish_path, body, length), 1);
  }
  free(body);
}

/* Nchan takes one item a call: so many requests in one write. */
static void post_to_channels(int first, int count, const char *item) {
  size_t length = 0;
  publisher.out = realloc(publisher.out, (published_room() + 1024) * (size_t)count);
  for (int i = first; i < first + count; i++) {
    char path[320];
    snprintf(path, sizeof path, options.publish_path, i);
    length += post(publisher.out + length, path, item, (size_t)options.size);
  }
  publisher_send(length, count);
}

/*
 * Publishes one item on each of the channels c<first> … c<first + count - 1> in one call, with ids: one that is published
 * again, because the answer to the first try was an error, goes out once.
 */
static void publish_to_channels(int first, int count, const char *item) {
  if (strcmp(options.format, "nchan") == 0) return post_to_channels(first, count, item);
  size_t room = published_room() * (size_t)count + 1024;
  char *body = malloc(room), channel[16];
  publisher.out = realloc(publisher.out, room * 2);
  size_t length = (size_t)sprintf(body, "{\"items\":[");
  for (int i = 0; i < count; i++) {
    snprintf(channel, sizeof channel, "c%d", first + i);
    if (i > 0) body[length++] = ',';
    size_t entry = grip_entry(body + length, channel, item);
    length += entry - 1; /* over the closing brace */
    length += (size_t)sprintf(body + length, ",\"id\":\"%.*s\"}", ITEM_MIN - 1, item);
  }
  length += (size_t)sprintf(body + length, "]}");
  publisher_send(post(publisher.out, options.publish_path, body, length), 1);
  free(body);
}

#endif
