/*
 * The load generator: clients that are held, the publisher, and clients that ask again and again, all on one thread and
 * one clock. Options come as name=value arguments, commands as lines on stdin; each command is answered by one line of
 * JSON on stdout when it is done, and may print {"progress":n} lines before. bench/load.mjs is its other half.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include "asker.h"
#include "echoer.h"
#include "hold.h"
#include "publisher.h"

/* How long what a server does after the last receipt still counts, and what is received too much is still seen. */
#define SETTLE_NS 20000000ull
#define SECOND_NS 1000000000ull

static char command[1024];

static double number_of(const char *name, double otherwise) {
  char key[64];
  snprintf(key, sizeof key, " %s=", name);
  const char *found = strstr(command, key);
  return found == NULL ? otherwise : atof(found + strlen(key));
}

static void text_of(const char *name, char *out, size_t room) {
  char key[64];
  snprintf(key, sizeof key, " %s=", name);
  const char *found = strstr(command, key);
  snprintf(out, room, "%.*s", found == NULL ? 0 : (int)strcspn(found + strlen(key), " \n"), found == NULL ? "" : found + strlen(key));
}

static void clear_totals(void) {
  memset(&totals, 0, sizeof totals);
  latency_clear(&receipts);
  refused = 0;
  first_failure[0] = 0;
}

static void finish(void) {
  if (first_failure[0] != 0) printf(",\"failure\":\"%s\"", first_failure);
  printf("}\n");
  fflush(stdout);
}

static void print_totals(void) {
  printf("\"deliveries\":%llu,\"wrong\":%llu,\"broken\":%llu,\"refused\":%llu,\"bytes\":%llu",
         (unsigned long long)totals.deliveries, (unsigned long long)totals.wrong, (unsigned long long)totals.broken,
         (unsigned long long)refused, (unsigned long long)totals.bytes);
}

/*
 * open count=n [concurrent=n] [rate=per-second] [timeout=s] [resume=0|1]: opens the first n holds, or asks again on answered
 * polls. `resume`: with the sessions of TLS that they have had before.
 */
static void run_open(void) {
  int count = (int)number_of("count", options.count), concurrent = (int)number_of("concurrent", 64), next = 0;
  double rate = number_of("rate", 0);
  uint64_t start = now_ns(), end = start + (uint64_t)(number_of("timeout", 120) * 1e9), progress = start;
  failed = handshakes_resumed = 0;
  resumes = (int)number_of("resume", 0);
  first_failure[0] = 0;
  while ((next < count || pending > 0) && now_ns() < end && failed < 100) {
    uint64_t now = now_ns();
    while (next < count && pending < concurrent && (rate == 0 || (double)next < (double)(now - start) / 1e9 * rate)) {
      struct hold *hold = &holds[next++];
      if (hold->phase == CLOSED || hold->phase == ANSWERED) hold_open(hold);
    }
    /* Polls are held as soon as they have asked. Waiting here, with nothing to come, would leave the others idle for so
       long that a server may close them between two requests. */
    if (next == count && pending == 0) break;
    turn(now + (rate > 0 ? SECOND_NS / 500 : SECOND_NS / 10));
    if (now - progress < SECOND_NS / 4) continue;
    progress = now;
    printf("{\"progress\":%d}\n", opened);
    fflush(stdout);
  }
  printf("{\"opened\":%d,\"failed\":%d,\"resumed\":%d,\"wall_us\":%.1f", opened, failed + pending, handshakes_resumed,
         (double)(now_ns() - start) / 1e3);
  finish();
}

static int is_delivered(uint64_t deliveries) { return totals.deliveries >= deliveries && publisher->awaited == 0; }

/* publish items=n [batch=n] [gap_us=n] [timeout=s]: each call only when all clients have all items of the one before. */
static void run_publish(void) {
  int items = (int)number_of("items", 1), batch = (int)number_of("batch", 1), calls = 0;
  uint64_t gap = (uint64_t)(number_of("gap_us", 0) * 1e3), limit = (uint64_t)(number_of("timeout", 20) * 1e9);
  uint64_t wanted = 0, wall = 0, clients = (uint64_t)opened;
  static struct latency acknowledged;
  clear_totals();
  latency_clear(&acknowledged);
  publisher_connect(publisher);
  turn_until(now_ns() + SETTLE_NS / 2);
  double cpu = measured_cpu_us(), own = own_cpu_us();
  for (int sent = 0; sent < items; sent += batch, calls++) {
    wanted += clients * (uint64_t)batch;
    published_at = now_ns();
    publish_items(batch);
    while (!is_delivered(wanted) && now_ns() < published_at + limit) turn(published_at + limit);
    wall += now_ns() - published_at;
    latency_add(&acknowledged, publisher->acknowledged_at - published_at);
    if (!is_delivered(wanted)) break;
    if (gap > 0) turn_until(now_ns() + gap);
  }
  turn_until(now_ns() + SETTLE_NS);
  published_at = 0;
  printf("{\"calls\":%d,\"clients\":%llu,\"wall_us\":%.1f,\"cpu_us\":%.1f,\"client_cpu_us\":%.1f,\"lost\":%lld,", calls,
         (unsigned long long)clients, (double)wall / 1e3, measured_cpu_us() - cpu, own_cpu_us() - own,
         (long long)(wanted - totals.deliveries));
  print_totals();
  latency_print("receipts", &receipts);
  latency_print("acknowledged", &acknowledged);
  finish();
}

static void print_second(const struct latency *second, int is_first) {
  printf("%s[%llu,%.1f,%.1f,%.1f]", is_first ? "" : ",", (unsigned long long)second->count, latency_quantile(second, 0.5),
         latency_quantile(second, 0.99), latency_quantile(second, 1));
}

/*
 * pace rate=n seconds=n: publishes on schedule whatever the answers take. An acknowledgement counts from the moment
 * that its publish was due, so a stall shows in everything that was due meanwhile. seconds: [count, p50, p99, max] in µs.
 */
static void run_pace(void) {
  double rate = number_of("rate", 1000), seconds = number_of("seconds", 60);
  uint64_t total = (uint64_t)(rate * seconds), clients = (uint64_t)opened;
  static struct latency second;
  clear_totals();
  latency_clear(&second);
  publisher_connect(publisher);
  turn_until(now_ns() + SETTLE_NS);
  double cpu = measured_cpu_us(), own = own_cpu_us();
  uint64_t start = now_ns();
  int printed = 0;
  printf("{\"seconds\":[");
  for (uint64_t i = 0; i < total; i++) {
    uint64_t due = start + (uint64_t)((double)i / rate * 1e9);
    turn_until(due);
    published_at = due;
    publish_items(1);
    while (publisher->awaited > 0 && now_ns() < due + 20 * SECOND_NS) turn(due + 20 * SECOND_NS);
    if (publisher->awaited > 0) break;
    latency_add(&second, publisher->acknowledged_at - due);
    if ((i + 1) % (uint64_t)rate != 0) continue;
    print_second(&second, printed++ == 0);
    latency_clear(&second);
  }
  double wall = (double)(now_ns() - start) / 1e3;
  uint64_t end = now_ns() + 2 * SECOND_NS;
  while (totals.deliveries < total * clients && now_ns() < end) turn(end);
  printf("],\"published\":%llu,\"wall_us\":%.1f,\"cpu_us\":%.1f,\"client_cpu_us\":%.1f,\"lost\":%lld,", (unsigned long long)total, wall,
         measured_cpu_us() - cpu, own_cpu_us() - own, (long long)(total * clients - totals.deliveries));
  published_at = 0;
  print_totals();
  latency_print("receipts", &receipts);
  finish();
}

/* expect items=n [timeout=s]: waits for items that another process publishes; ends when all holds have them. */
static void run_expect(void) {
  int items = (int)number_of("items", 1);
  uint64_t end = now_ns() + (uint64_t)(number_of("timeout", 30) * 1e9), wanted = (uint64_t)opened * (uint64_t)items;
  clear_totals();
  for (int i = 0; i < items; i++) next_item();
  printf("{\"progress\":0}\n");
  fflush(stdout);
  uint64_t progress = now_ns();
  while (totals.deliveries < wanted && now_ns() < end) {
    turn(progress + SECOND_NS / 4);
    if (now_ns() < progress + SECOND_NS / 4) continue;
    progress = now_ns();
    printf("{\"progress\":%llu}\n", (unsigned long long)totals.deliveries);
    fflush(stdout);
  }
  turn_until(now_ns() + SETTLE_NS);
  printf("{\"lost\":%lld,", (long long)(wanted - totals.deliveries));
  print_totals();
  finish();
}

/* report since=ns: when each hold received its last item, counted from then. */
static void run_report(void) {
  char since_text[32];
  text_of("since", since_text, sizeof since_text);
  uint64_t since = strtoull(since_text, NULL, 10);
  latency_clear(&receipts);
  for (int i = 0; i < options.count; i++) {
    if (holds[i].phase == HELD && holds[i].received_at > since) latency_add(&receipts, holds[i].received_at - since);
  }
  printf("{\"received\":%llu", (unsigned long long)receipts.count);
  latency_print("receipts", &receipts);
  finish();
}

/* send [items=n]: publishes without awaiting a receipt; for holds that others have, or that are deaf. */
static void run_send(void) {
  int items = (int)number_of("items", 1);
  publisher_connect(publisher);
  turn_until(now_ns() + SETTLE_NS);
  uint64_t start = now_ns(), end = start + 30 * SECOND_NS;
  for (int i = 0; i < items; i++) {
    publish_items(1);
    while (publisher->awaited > 0 && now_ns() < end) turn(end);
  }
  printf("{\"published_at\":\"%llu\",\"acknowledged_us\":%.1f,\"refused\":%llu", (unsigned long long)start,
         (double)(publisher->acknowledged_at - start) / 1e3, (unsigned long long)refused);
  finish();
}

/* deafen: the holds stay open, and nothing is read from them any more. */
static void run_deafen(void) {
  for (int i = 0; i < options.count; i++) {
    if (holds[i].phase == HELD) epoll_ctl(loop_fd, EPOLL_CTL_DEL, holds[i].source.fd, NULL);
  }
  printf("{\"deaf\":%d", opened);
  finish();
}

/* Whether the hold of a channel has had the sweep's item. */
static int has_item(int channel) { return holds[channel].got == expected_length; }

/* How many of the channels from `first` on have not had it. */
static int absent_of(int first, int count) {
  int absent = 0;
  for (int i = first; i < first + count; i++) absent += holds[i].phase == HELD && !has_item(i);
  return absent;
}

/*
 * sweep [batch=n] [timeout=s]: one item on each hold's own channel, in calls of `batch`. What was refused is published
 * again, and so is, every second, what has not arrived.
 */
static void run_sweep(void) {
  int batch = (int)number_of("batch", 100), rounds = 0, missing = opened;
  double cpu = measured_cpu_us(), own = own_cpu_us();
  uint64_t start = now_ns(), end = start + (uint64_t)(number_of("timeout", 60) * 1e9);
  clear_totals();
  const char *item = next_item();
  while (missing > 0 && now_ns() < end) {
    uint64_t round = now_ns();
    rounds++;
    for (int first = 0; first < options.count && now_ns() < end;) {
      int count = first + batch > options.count ? options.count - first : batch;
      if (absent_of(first, count) == 0) {
        first += count;
        continue;
      }
      publisher->status = 0;
      publish_to_channels(publisher, first, count, item, 1);
      while (publisher->awaited > 0 && now_ns() < end) turn(end);
      if (publisher->status == 0) first += count;
      else turn_until(now_ns() + SECOND_NS / 50);
    }
    while (totals.deliveries < (uint64_t)opened && now_ns() < round + SECOND_NS) turn(round + SECOND_NS);
    missing = opened - (int)totals.deliveries;
  }
  uint64_t last = start;
  for (int i = 0; i < options.count; i++) last = holds[i].received_at > last ? holds[i].received_at : last;
  turn_until(now_ns() + SETTLE_NS);
  printf("{\"last_at\":\"%llu\",\"sweep_us\":%.1f,\"rounds\":%d,\"missing\":%d,\"cpu_us\":%.1f,\"client_cpu_us\":%.1f,",
         (unsigned long long)last, (double)(last - start) / 1e3, rounds, missing, measured_cpu_us() - cpu, own_cpu_us() - own);
  print_totals();
  finish();
}

/* One item on each channel, over so many connections; over when all calls are answered, or at `end`. */
static void rush_round(int connections, int batch, uint64_t end) {
  const char *item = next_item();
  int first = 0, awaited = 1;
  while ((first < options.count || awaited > 0) && now_ns() < end) {
    awaited = 0;
    for (int i = 0; i < connections; i++) {
      if (publishers[i].awaited == 0 && first < options.count) {
        int count = first + batch > options.count ? options.count - first : batch;
        publish_to_channels(&publishers[i], first, count, item, 0);
        first += count;
      }
      awaited += publishers[i].awaited;
    }
    if (awaited > 0) turn(end);
  }
}

/*
 * rush connections=n [batch=n] [rounds=n] [timeout=s]: in every round one item on each hold's own channel, with a call of `batch`
 * under way on each connection. A round begins when all calls of the one before are answered, whoever has received what.
 * cpus_us: of each measured process.
 */
static void run_rush(void) {
  int connections = (int)number_of("connections", 16), batch = (int)number_of("batch", 1), rounds = (int)number_of("rounds", 1);
  if (connections > PUBLISHERS_MAX) connections = PUBLISHERS_MAX;
  double before[PIDS_MAX], own;
  clear_totals();
  for (int i = 0; i < connections; i++) publisher_connect(&publishers[i]);
  turn_until(now_ns() + SETTLE_NS);
  for (int i = 0; i < pid_count; i++) before[i] = cpu_us_of(pids[i]);
  own = own_cpu_us();
  uint64_t start = now_ns(), end = start + (uint64_t)(number_of("timeout", 60) * 1e9);
  uint64_t wanted = (uint64_t)opened * (uint64_t)rounds;
  for (int i = 0; i < rounds; i++) rush_round(connections, batch, end);
  double wall = (double)(now_ns() - start) / 1e3;
  while (totals.deliveries < wanted && now_ns() < end) turn(end);
  turn_until(now_ns() + SETTLE_NS);
  printf("{\"items\":%llu,\"wall_us\":%.1f,\"client_cpu_us\":%.1f,\"lost\":%lld,\"cpus_us\":[",
         (unsigned long long)options.count * (unsigned long long)rounds, wall, own_cpu_us() - own,
         (long long)(wanted - totals.deliveries));
  for (int i = 0; i < pid_count; i++) printf("%s%.1f", i > 0 ? "," : "", cpu_us_of(pids[i]) - before[i]);
  printf("],");
  print_totals();
  finish();
}

static void make_request(const char *method, const char *path, size_t body) {
  asking.request = realloc(asking.request, body + 1024);
  int head = sprintf(asking.request, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, options.host);
  if (body > 0) head += sprintf(asking.request + head, "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n", body);
  head += sprintf(asking.request + head, "\r\n");
  memcpy(asking.request + head, asked_pattern, body);
  asking.length = (size_t)head + body;
}

/* request method=m path=p [body=bytes] answer=bytes [pattern=0|1] [concurrent=n] [warm=s] seconds=n */
static void run_request(void) {
  char method[16], path[256];
  int concurrent = (int)number_of("concurrent", 64);
  text_of("method", method, sizeof method);
  text_of("path", path, sizeof path);
  first_failure[0] = 0;
  for (size_t i = 0; i < ASKED_BODY_MAX; i++) asked_pattern[i] = (char)('a' + i % 26);
  make_request(method, path, (size_t)number_of("body", 0));
  asking.answer_size = (size_t)number_of("answer", 0);
  asking.is_pattern = (int)number_of("pattern", 0);
  asking.goes_on = 1;
  asking.wrong = asking.failed = 0;
  asking.askers = calloc((size_t)concurrent, sizeof *asking.askers);
  for (int i = 0; i < concurrent; i++) {
    asking.askers[i].source.ready = asker_ready;
    connect_source(&asking.askers[i].source, options.port);
  }
  turn_until(now_ns() + (uint64_t)(number_of("warm", 0.5) * 1e9));
  double cpu = measured_cpu_us(), own = own_cpu_us();
  uint64_t start = now_ns();
  asking.done = 0;
  latency_clear(&asking.times);
  turn_until(start + (uint64_t)(number_of("seconds", 2) * 1e9));
  printf("{\"done\":%llu,\"wall_us\":%.1f,\"cpu_us\":%.1f,\"client_cpu_us\":%.1f", (unsigned long long)asking.done,
         (double)(now_ns() - start) / 1e3, measured_cpu_us() - cpu, own_cpu_us() - own);
  asking.goes_on = 0;
  turn_until(now_ns() + SETTLE_NS);
  for (int i = 0; i < concurrent; i++) asker_close(&asking.askers[i]);
  free(asking.askers);
  printf(",\"wrong\":%llu,\"failed\":%llu", (unsigned long long)asking.wrong, (unsigned long long)asking.failed);
  latency_print("times", &asking.times);
  finish();
}

/* echo path=p size=bytes [concurrent=n] [warm=s] seconds=n */
static void run_echo(void) {
  int concurrent = (int)number_of("concurrent", 64);
  text_of("path", echoing.path, sizeof echoing.path);
  first_failure[0] = 0;
  echoing.size = (size_t)number_of("size", 100);
  if (echoing.size > ECHO_MAX) echoing.size = ECHO_MAX;
  echoing.goes_on = 1;
  echoing.opened = 0;
  echoing.wrong = echoing.failed = 0;
  echoing.echoers = calloc((size_t)concurrent, sizeof *echoing.echoers);
  for (int i = 0; i < concurrent; i++) {
    echoing.echoers[i].source.ready = echoer_ready;
    connect_source(&echoing.echoers[i].source, options.port);
  }
  uint64_t end = now_ns() + 10 * SECOND_NS;
  while (echoing.opened < concurrent && echoing.failed == 0 && now_ns() < end) turn(end);
  for (int i = 0; i < concurrent; i++) {
    if (echoing.echoers[i].is_open) echoer_say(&echoing.echoers[i]);
  }
  turn_until(now_ns() + (uint64_t)(number_of("warm", 0.5) * 1e9));
  double cpu = measured_cpu_us(), own = own_cpu_us();
  uint64_t start = now_ns();
  echoing.done = 0;
  latency_clear(&echoing.times);
  turn_until(start + (uint64_t)(number_of("seconds", 2) * 1e9));
  printf("{\"opened\":%d,\"done\":%llu,\"wall_us\":%.1f,\"cpu_us\":%.1f,\"client_cpu_us\":%.1f", echoing.opened,
         (unsigned long long)echoing.done, (double)(now_ns() - start) / 1e3, measured_cpu_us() - cpu, own_cpu_us() - own);
  echoing.goes_on = 0;
  turn_until(now_ns() + SETTLE_NS);
  for (int i = 0; i < concurrent; i++) echoer_close(&echoing.echoers[i], NULL);
  free(echoing.echoers);
  printf(",\"wrong\":%llu,\"failed\":%llu", (unsigned long long)echoing.wrong, (unsigned long long)echoing.failed);
  latency_print("times", &echoing.times);
  finish();
}

static void run_close(void) {
  for (int i = 0; i < options.count; i++) {
    if (holds[i].phase != CLOSED) hold_close(&holds[i], 0);
  }
  opened = pending = 0;
  printf("{\"closed\":1");
  finish();
}

/* pids=1,2,3: whose CPU time is measured from now on. */
static void run_pids(void) {
  char list[1000];
  text_of("list", list, sizeof list);
  pid_count = 0;
  for (char *at = list; *at != 0 && pid_count < PIDS_MAX;) {
    pids[pid_count++] = (pid_t)strtol(at, &at, 10);
    if (*at == ',') at++;
  }
  printf("{\"pids\":%d", pid_count);
  finish();
}

static void run_cpu(void) {
  printf("{\"cpu_us\":%.1f,\"client_cpu_us\":%.1f,\"opened\":%d", measured_cpu_us(), own_cpu_us(), opened);
  first_failure[0] = 0;
  finish();
}

static void read_options(int count, char **arguments) {
  struct { const char *name; char *text; size_t room; int *number; } known[] = {
      {"kind", options.kind, sizeof options.kind, NULL},       {"format", options.format, sizeof options.format, NULL},
      {"path", options.path, sizeof options.path, NULL},       {"publish_path", options.publish_path, sizeof options.publish_path, NULL},
      {"source", options.source, sizeof options.source, NULL}, {"header", options.header, sizeof options.header, NULL},
      {"channel", options.channel, sizeof options.channel, NULL}, {"fields", options.fields, sizeof options.fields, NULL},
      {"publish_header", options.publish_header, sizeof options.publish_header, NULL},
      {"port", NULL, 0, &options.port},                        {"control_port", NULL, 0, &options.control_port},
      {"size", NULL, 0, &options.size},                        {"count", NULL, 0, &options.count},
      {"tls", NULL, 0, &options.tls},                          {"batch", NULL, 0, &options.is_batch},
      {"small", NULL, 0, &options.is_small},
  };
  for (int i = 1; i < count; i++) {
    for (size_t j = 0; j < sizeof known / sizeof *known; j++) {
      size_t length = strlen(known[j].name);
      if (strncmp(arguments[i], known[j].name, length) != 0 || arguments[i][length] != '=') continue;
      const char *value = arguments[i] + length + 1;
      if (known[j].number != NULL) *known[j].number = atoi(value);
      else snprintf(known[j].text, known[j].room, "%s", value);
    }
  }
  if (options.header[0] != 0) strcat(options.header, "\r\n");
  if (options.publish_header[0] != 0) strcat(options.publish_header, "\r\n");
  if (options.size < ITEM_MIN) options.size = ITEM_MIN;
  held_as = strcmp(options.kind, "ws") == 0 ? A_WEBSOCKET : strcmp(options.kind, "poll") == 0 ? A_POLL : A_STREAM;
}

/*
 * Clients that share the cores with what they measure are woken by its writes, and the kernel lets the one that was woken
 * run at once: the target is interrupted for each of its clients, which no client on another machine does. As batch work
 * they run when it is their turn, at the same priority, and then read all that has come.
 */
static void yield_to_the_target(void) {
  struct sched_param none = {0};
  if (sched_setscheduler(0, SCHED_BATCH, &none) != 0) note_failure("SCHED_BATCH", strerror(errno));
}

int main(int count, char **arguments) {
  static const struct { const char *name; void (*run)(void); } commands[] = {
      {"open", run_open},   {"publish", run_publish}, {"pace", run_pace},       {"expect", run_expect}, {"report", run_report}, {"send", run_send},
      {"sweep", run_sweep}, {"rush", run_rush},       {"request", run_request}, {"echo", run_echo},     {"close", run_close},   {"pids", run_pids},
      {"cpu", run_cpu},     {"deafen", run_deafen},
  };
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  signal(SIGPIPE, SIG_IGN);
  read_options(count, arguments);
  if (options.is_batch) yield_to_the_target();
  loop_fd = epoll_create1(EPOLL_CLOEXEC);
  holds = calloc((size_t)options.count, sizeof *holds);
  if (options.fields[0] != 0) read_own_fields(options.fields);
  while (fgets(command, sizeof command, stdin) != NULL) {
    size_t name = strcspn(command, " \n"), i = 0;
    while (i < sizeof commands / sizeof *commands && (strlen(commands[i].name) != name || strncmp(command, commands[i].name, name) != 0)) i++;
    if (i < sizeof commands / sizeof *commands) commands[i].run();
    else printf("{\"failure\":\"no such command\"}\n"), fflush(stdout);
  }
  return 0;
}
