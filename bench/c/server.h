/*
 * A bare epoll loop that serves HTTP/1.1 on one thread; what is answered says the program that includes it, in the four
 * functions declared below.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

/* Connections the kernel keeps for us until they are accepted; the system's own maximum is usually this. */
#define BACKLOG 4096
/* Bytes of one read. */
#define READ_MAX (256 * 1024)

struct client {
  int fd;
  struct message in;
  char *out; /* what the socket did not take yet */
  size_t out_length, out_done;
  /* For the program. */
  int kind;
  int place;
  uint64_t body;
  char path[64];
  char *text;
  /* Takes what comes from here on, which is no HTTP any more. */
  void (*raw)(struct client *client, char *at, char *end);
};

static void on_head(struct client *client, const char *head);
static void on_data(struct client *client, const char *data, size_t length);
static void on_end(struct client *client);
static void on_gone(struct client *client);

static int loop_fd;
static char read_buffer[READ_MAX + 1];

static void watch(struct client *client, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = client};
  epoll_ctl(loop_fd, operation, client->fd, &event);
}

/* Sends bytes, at once where the socket takes them, else copied and in order later. */
static void respond(struct client *client, const char *data, size_t length) {
  size_t done = 0;
  if (client->out == NULL) {
    ssize_t sent = send(client->fd, data, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return; /* it is gone, which reading will tell */
    done = sent < 0 ? 0 : (size_t)sent;
    if (done == length) return;
    watch(client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
  size_t waiting = client->out_length - client->out_done, more = length - done;
  char *out = malloc(waiting + more);
  if (waiting > 0) memcpy(out, client->out + client->out_done, waiting);
  memcpy(out + waiting, data + done, more);
  free(client->out);
  client->out = out;
  client->out_length = waiting + more;
  client->out_done = 0;
}

static void flush_out(struct client *client) {
  ssize_t sent = send(client->fd, client->out + client->out_done, client->out_length - client->out_done, MSG_NOSIGNAL);
  if (sent < 0) return;
  client->out_done += (size_t)sent;
  if (client->out_done < client->out_length) return;
  free(client->out);
  client->out = NULL;
  client->out_length = client->out_done = 0;
  watch(client, EPOLL_CTL_MOD, EPOLLIN);
}

static void drop_client(struct client *client) {
  on_gone(client);
  close(client->fd);
  free(client->out);
  free(client->in.part);
  free(client->text);
  free(client);
}

static void read_client(struct client *client) {
  ssize_t got = recv(client->fd, read_buffer, READ_MAX, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return drop_client(client);
  char *at = read_buffer, *end = at + got;
  const char *data;
  size_t length;
  for (;;) {
    if (client->raw != NULL) return client->raw(client, at, end);
    switch (message_next(&client->in, &at, end, &data, &length)) {
      case NEED_MORE: return;
      case HEAD: on_head(client, data); break;
      case DATA: on_data(client, data, length); break;
      case END:
        message_reset(&client->in, 0);
        on_end(client);
        break;
    }
  }
}

/* Serves what is connected already; the socket does not block. */
static struct client *adopt(int fd) {
  struct client *client = calloc(1, sizeof *client);
  client->fd = fd;
  client->place = -1;
  watch(client, EPOLL_CTL_ADD, EPOLLIN);
  return client;
}

static void accept_clients(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    adopt(fd);
  }
}

/* On 127.0.0.1; port 0 is any free one. Of processes that share a port the kernel gives each its part of the clients. */
static int listen_on(int port, int is_shared) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (is_shared) setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, BACKLOG) != 0) {
    perror("listen");
    exit(1);
  }
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

/* Before anything else here is called; a process that was forked has a loop of its own only if it calls this itself. */
static void begin_loop(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  signal(SIGPIPE, SIG_IGN);
  loop_fd = epoll_create1(EPOLL_CLOEXEC);
}

/* Listens (see listen_on), says so on stdout as {"port":n}, and serves until it is killed. */
static void serve(int port, int is_shared) {
  int listener = listen_on(port, is_shared);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, ready[512];
  epoll_ctl(loop_fd, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(loop_fd, ready, 512, -1);
    for (int i = 0; i < count; i++) {
      struct client *client = ready[i].data.ptr;
      if (client == NULL) accept_clients(listener);
      else {
        if ((ready[i].events & EPOLLOUT) != 0 && client->out != NULL) flush_out(client);
        if ((ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_client(client);
      }
    }
  }
}

#endif
