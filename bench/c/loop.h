/* The load's event loop, the options it was started with, and the CPU time of the processes it measures. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "latency.h"
#include "message.h"

/* Bytes of one read. */
#define READ_MAX (256 * 1024)
/* Receive buffer and segments of a client that is to fill its sockets soon; those of loopback take megabytes. */
#define SMALL_BUFFER 4096
#define SMALL_SEGMENT 1460
/*
 * Connections from `source` before the next address is taken, in the next network of 256: up to 15,000 from one address the
 * kernel looked for a free port for 80 µs on average, three times what the rest of opening a connection takes.
 */
#define CONNECTS_OF_SOURCE 2000
/* Processes of one target. */
#define PIDS_MAX 256

/* Whatever has a socket; the first member of every kind of connection. */
struct source {
  void (*ready)(struct source *source, uint32_t events);
  int fd;
};

static struct options {
  char kind[16], format[16], path[256], publish_path[256], channel[64], header[256], publish_header[1024], source[64], host[64], fields[256];
  int port, control_port, size, count, tls;
  int is_batch; /* see yield_to_the_target() */
  int is_small; /* little fits into its sockets, as over a slow network */
} options = {.kind = "stream", .format = "grip", .path = "/stream", .publish_path = "/publish/", .channel = "bench", .header = "",
             .fields = "", .source = "", .host = "bench.test", .size = 100, .count = 1};

static int loop_fd;
static int connects;
static char read_buffer[READ_MAX + 1];
/* Why the first connection failed, for the report. */
static char first_failure[256];

static void note_failure(const char *what, const char *detail) {
  if (first_failure[0] == 0) snprintf(first_failure, sizeof first_failure, "%s: %.*s", what, (int)strcspn(detail, "\r\n\""), detail);
}

/* Handles what is ready; returns at `until` (ns of the monotonic clock) at the latest. */
static void turn(uint64_t until) {
  struct epoll_event ready[512];
  uint64_t now = now_ns(), wait = until > now ? until - now : 0;
  struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
  int count = epoll_pwait2(loop_fd, ready, 512, &timeout, NULL);
  for (int i = 0; i < count; i++) {
    struct source *source = ready[i].data.ptr;
    source->ready(source, ready[i].events);
  }
}

static void turn_until(uint64_t until) {
  while (now_ns() < until) turn(until);
}

static void watch(struct source *source, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = source};
  epoll_ctl(loop_fd, operation, source->fd, &event);
}

/* Begins to connect to 127.0.0.1; the source is ready for writing once that has worked. False when out of files or ports. */
static int connect_source(struct source *source, int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)}, from = {.sin_family = AF_INET};
  int on = 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  source->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (source->fd < 0) {
    note_failure("socket", strerror(errno));
    return 0;
  }
  setsockopt(source->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (options.is_small) {
    setsockopt(source->fd, SOL_SOCKET, SO_RCVBUF, &(int){SMALL_BUFFER}, sizeof(int));
    setsockopt(source->fd, IPPROTO_TCP, TCP_MAXSEG, &(int){SMALL_SEGMENT}, sizeof(int));
  }
  if (options.source[0] != 0) {
    /* Leaves the choice of the port to connect(), which may share it with other targets' ports. */
    setsockopt(source->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    inet_pton(AF_INET, options.source, &from.sin_addr);
    from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) + ((uint32_t)(connects++ / CONNECTS_OF_SOURCE) << 8));
    bind(source->fd, (struct sockaddr *)&from, sizeof from);
  }
  if (connect(source->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
    note_failure("connect", strerror(errno));
    close(source->fd);
    source->fd = -1;
    return 0;
  }
  watch(source, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
  return 1;
}

static pid_t pids[PIDS_MAX];
static int pid_count;

static double clock_us(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time) != 0) return 0;
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* CPU time, user and system, of all threads of a process so far: the kernel's own count to the nanosecond. */
static double cpu_us_of(pid_t pid) {
  clockid_t clock;
  return clock_getcpuclockid(pid, &clock) == 0 ? clock_us(clock) : 0;
}

/* The same of all measured processes. */
static double measured_cpu_us(void) {
  double sum = 0;
  for (int i = 0; i < pid_count; i++) sum += cpu_us_of(pids[i]);
  return sum;
}

static double own_cpu_us(void) { return clock_us(CLOCK_PROCESS_CPUTIME_ID); }

#endif
