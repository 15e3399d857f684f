/* Several kept-alive connections to the control API, each with one call under way: items on the holds' own channels, in rounds. */
#ifndef BENCH_RUSH_H
#define BENCH_RUSH_H

#include "item.h"

struct courier {
  struct source source;
  struct message in;
  char *out;
  size_t length, done;
  uint8_t connected, busy;
};

static struct rush {
  struct courier *couriers;
  int connections, batch;
  int next; /* channel of this round that is published next; as many as there are holds when the round is over */
  int busy;
  const char *item;
  uint64_t calls, refused;
} rush;

static void courier_flush(struct courier *courier) {
  while (courier->done < courier->length) {
    ssize_t sent = send(courier->source.fd, courier->out + courier->done, courier->length - courier->done, MSG_NOSIGNAL);
    if (sent < 0) return watch(&courier->source, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    courier->done += (size_t)sent;
  }
}

/* Takes the next channels of the round, if there are any. */
static void courier_publish(struct courier *courier) {
  if (!courier->connected || courier->busy || rush.next >= options.count) return;
  char channel[16], *body = read_buffer; /* as large as any call of a rush, and not in use between two reads */
  int count = rush.next + rush.batch > options.count ? options.count - rush.next : rush.batch;
  size_t length = (size_t)sprintf(body, "{\"items\":[");
  for (int i = 0; i < count; i++) {
    snprintf(channel, sizeof channel, "c%d", rush.next + i);
    if (i > 0) body[length++] = ',';
    length += grip_entry(body + length, channel, rush.item);
  }
  length += (size_t)sprintf(body + length, "]}");
  rush.next += count;
  rush.busy++;
  rush.calls++;
  courier->busy = 1;
  courier->length = post(courier->out, options.publish_path, body, length);
  courier->done = 0;
  courier_flush(courier);
}

/* The call is over; whatever was refused stays missing. */
static void courier_answered(struct courier *courier, int is_refused) {
  if (courier->busy) rush.busy--;
  courier->busy = 0;
  if (is_refused) rush.refused++;
}

static void courier_close(struct courier *courier) {
  close(courier->source.fd);
  courier->source.fd = -1;
  courier->connected = 0;
  message_reset(&courier->in, 1);
}

static void courier_read(struct courier *courier) {
  ssize_t got = recv(courier->source.fd, read_buffer, READ_MAX, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    note_failure("control API", "the connection was closed");
    courier_answered(courier, 1);
    return courier_close(courier);
  }
  char *at = read_buffer;
  const char *data;
  size_t length;
  int is_over = 0;
  for (;;) {
    int what = message_next(&courier->in, &at, read_buffer + got, &data, &length);
    if (what == NEED_MORE) break;
    if (what == HEAD && status_of(data) / 100 != 2) {
      note_failure("control API", data);
      rush.refused++;
    }
    if (what != END) continue;
    message_reset(&courier->in, 1);
    is_over = 1;
  }
  if (!is_over) return;
  courier_answered(courier, 0);
  courier_publish(courier);
}

static void courier_ready(struct source *source, uint32_t events) {
  struct courier *courier = (struct courier *)source;
  if ((events & EPOLLOUT) != 0) {
    watch(source, EPOLL_CTL_MOD, EPOLLIN);
    courier->connected = 1;
    courier_flush(courier);
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) courier_read(courier);
}

static void rush_connect(int connections, int batch) {
  int most = (int)(READ_MAX / published_room());
  rush.batch = batch < most ? batch : most;
  rush.connections = connections;
  rush.next = options.count;
  rush.busy = 0;
  rush.calls = rush.refused = 0;
  rush.couriers = calloc((size_t)connections, sizeof *rush.couriers);
  for (int i = 0; i < connections; i++) {
    struct courier *courier = &rush.couriers[i];
    courier->out = malloc(published_room() * (size_t)rush.batch + 2048);
    courier->source.ready = courier_ready;
    message_reset(&courier->in, 1);
    connect_source(&courier->source, options.control_port);
  }
}

/* One item on each channel; over when all calls are answered, or at `end`. */
static void rush_round(uint64_t end) {
  rush.item = next_item();
  rush.next = 0;
  for (int i = 0; i < rush.connections; i++) courier_publish(&rush.couriers[i]);
  while ((rush.next < options.count || rush.busy > 0) && now_ns() < end) turn(end);
}

static void rush_close(void) {
  for (int i = 0; i < rush.connections; i++) {
    if (rush.couriers[i].source.fd > 0) courier_close(&rush.couriers[i]);
    free(rush.couriers[i].out);
  }
  free(rush.couriers);
}

#endif
