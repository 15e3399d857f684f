/*
 * The limit: what one thread of this machine can do, with nothing around it. Clients are held, and what is posted to
 * /publish goes to all of them with one send(2) each: no channels, no routes, no origin, no filters.
 *
 *   GET /stream   held; each item is one chunk        GET /ws   upgraded; each item is one text frame
 *   GET /poll     held; the next item is the answer   POST /publish?<bytes>  lines of the body are items of <bytes>
 *
 *   limit [port]                           one process for clients and publishers
 *   limit <port> <control port> <workers>  a primary that takes what is published and passes each request on to so many
 *                                          workers, which hold the clients
 */
#define _GNU_SOURCE
#include <sys/prctl.h>

#include "server.h"

/* LINK: in the primary, the connection to a worker, on which nothing but acknowledgements comes back. */
enum kind { NONE, STREAM, WEBSOCKET, POLL, PUBLISHER, LINK, KINDS };

/* All files that a process may have open. */
#define HELD_MAX 20000
/* Bytes of one publish. */
#define PUBLISH_MAX (1024 * 1024)
#define WORKERS_MAX 64

static struct client *held[KINDS][HELD_MAX];
static int held_count[KINDS];
static char published[PUBLISH_MAX];
static char wire[PUBLISH_MAX * 2];
static struct client *links[WORKERS_MAX];
static int link_count;

static void hold(struct client *client, int kind) {
  client->kind = kind;
  client->place = held_count[kind];
  held[kind][held_count[kind]++] = client;
}

static void on_gone(struct client *client) {
  if (client->place < 0) return;
  struct client *last = held[client->kind][--held_count[client->kind]];
  held[client->kind][client->place] = last;
  last->place = client->place;
  client->place = -1;
}

static void say(struct client *client, const char *text) { respond(client, text, strlen(text)); }

static void on_head(struct client *client, const char *head) {
  client->body = 0;
  if (client->place >= 0 || client->kind == LINK) return;
  if (strncmp(head, "POST ", 5) == 0) {
    client->kind = PUBLISHER;
    const char *size = memchr(head, '?', strcspn(head, "\r"));
    snprintf(client->path, sizeof client->path, "%d", size == NULL ? 0 : atoi(size + 1));
  } else if (strncmp(head, "GET /stream", 11) == 0) {
    hold(client, STREAM);
    say(client, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
  } else if (strncmp(head, "GET /ws", 7) == 0) {
    hold(client, WEBSOCKET);
    say(client, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  } else hold(client, POLL);
}

static void on_data(struct client *client, const char *data, size_t length) {
  if (client->kind != PUBLISHER || client->body + length > PUBLISH_MAX) return;
  memcpy(published + client->body, data, length);
  client->body += length;
}

/* Encodes one item for a kind of client; the bytes written. */
static size_t encode(int kind, const char *item, size_t size, char *out) {
  size_t head;
  if (kind == STREAM) head = (size_t)sprintf(out, "%zx\r\n", size);
  else if (kind == POLL) head = (size_t)sprintf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
  else if (size < 126) head = 2, out[0] = (char)0x81, out[1] = (char)size;
  else head = 4, out[0] = (char)0x81, out[1] = 126, out[2] = (char)(size >> 8), out[3] = (char)size;
  memcpy(out + head, item, size);
  if (kind != STREAM) return head + size;
  memcpy(out + head + size, "\r\n", 2);
  return head + size + 2;
}

static void fan_out(int kind, size_t size, size_t total) {
  size_t length = 0;
  for (size_t at = 0; at + size <= total && size > 0; at += size) length += encode(kind, published + at, size, wire + length);
  int count = held_count[kind];
  for (int i = 0; i < count; i++) respond(held[kind][i], wire, length);
  if (kind != POLL) return;
  for (int i = 0; i < count; i++) held[kind][i]->place = -1;
  held_count[kind] = 0;
}

/* Sends a publish to all workers, as the request that it is to each. */
static void pass_on(size_t size, size_t total) {
  int head = sprintf(wire, "POST /publish?%zu HTTP/1.1\r\nContent-Length: %zu\r\n\r\n", size, total);
  memcpy(wire + head, published, total);
  for (int i = 0; i < link_count; i++) respond(links[i], wire, (size_t)head + total);
}

static void on_end(struct client *client) {
  if (client->kind != PUBLISHER) return;
  size_t size = (size_t)atoi(client->path);
  if (link_count > 0) pass_on(size, client->body);
  for (int kind = STREAM; kind <= POLL; kind++) {
    if (held_count[kind] > 0) fan_out(kind, size, client->body);
  }
  say(client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* A worker, connected with its primary by `link`; it ends with the primary. */
static void work(int port, int link) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  begin_loop();
  adopt(link);
  serve(port, 1);
}

static void start_workers(int port, int count) {
  for (link_count = 0; link_count < count; link_count++) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) exit(1);
    if (fork() == 0) {
      link_count = 0;
      close(ends[0]);
      work(port, ends[1]);
    }
    close(ends[1]);
    links[link_count] = adopt(ends[0]);
    links[link_count]->kind = LINK;
  }
}

int main(int count, char **arguments) {
  int port = count > 1 ? atoi(arguments[1]) : 0, workers = count > 3 ? atoi(arguments[3]) : 0;
  begin_loop();
  if (workers == 0) serve(port, 0);
  if (workers > WORKERS_MAX) return 1;
  start_workers(port, workers);
  serve(atoi(arguments[2]), 0);
}
