/*
 * The origin behind every target: it answers with instructs, plain bodies and counts, from prepared bytes, so that it
 * costs little beside what is measured.
 *
 *   GET /stream?ch=c   a stream hold on c            POST /ws?ch=c   WebSocket-over-HTTP: OPEN is accepted, subscribed to c
 *   GET /poll?ch=c     a response hold on c          GET /bytes/n    n bytes
 *   POST /swallow      answers how many bytes came   GET /count      what has been asked so far, as JSON
 *   GET /echo          a WebSocket that sends back   POST /events    WebSocket-over-HTTP that does, without GRIP
 */
#define _GNU_SOURCE
#include "websocket.h"

/* Bytes of the largest plain body. */
#define BODY_MAX (4 * 1024 * 1024)

/* Bytes of the events that one request brings for them to be sent back. */
#define EVENTS_MAX 8192

enum kind { STREAM, POLL, WEBSOCKET, BYTES, SWALLOW, COUNT, ECHO, EVENTS, OTHER, KINDS };
static const char *paths[] = {"/stream", "/poll", "/ws", "/bytes/", "/swallow", "/count", "/echo", "/events"};

static uint64_t asked[KINDS], signatures;
static char answer[BODY_MAX + 1024];
static char pattern[BODY_MAX];

static void on_gone(struct client *client) { (void)client; }

static void on_head(struct client *client, const char *head) {
  const char *path = strchr(head, ' ') + 1;
  client->body = 0;
  client->kind = OTHER;
  for (int kind = 0; kind < OTHER; kind++) {
    if (strncmp(path, paths[kind], strlen(paths[kind])) == 0) client->kind = kind;
  }
  snprintf(client->path, sizeof client->path, "%.*s", (int)strcspn(path, " "), path);
  if (field_of(head, "grip-sig") != NULL) signatures++;
  if (client->kind != WEBSOCKET) asked[client->kind]++;
  if (client->kind == ECHO) {
    const char *key = field_of(head, "sec-websocket-key");
    if (key != NULL && strcspn(key, "\r\n") >= KEY_LENGTH) begin_echo(client, key);
    else client->kind = OTHER;
  }
}

static void on_data(struct client *client, const char *data, size_t length) {
  /* Only the first of a session's requests counts as asking for a hold. */
  if (client->kind == WEBSOCKET && client->body == 0) {
    int opens = length >= 4 && memcmp(data, "OPEN", 4) == 0;
    if (opens) asked[WEBSOCKET]++;
    else client->kind = OTHER;
  }
  if (client->kind == EVENTS && client->body + length <= EVENTS_MAX) {
    if (client->text == NULL) client->text = malloc(EVENTS_MAX + 1);
    memcpy(client->text + client->body, data, length);
  }
  client->body += length;
}

static const char *channel_of(const struct client *client) {
  const char *channel = strstr(client->path, "ch=");
  return channel == NULL ? "bench" : channel + 3;
}

static int hold_answer(const char *hold, const char *channel, const char *body) {
  return sprintf(answer,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nGrip-Hold: %s\r\nGrip-Channel: %s\r\n"
                 "Grip-Timeout: 3600\r\nContent-Length: %zu\r\n\r\n%s",
                 hold, channel, strlen(body), body);
}

static int events_answer(const char *events) {
  return sprintf(answer,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/websocket-events\r\nSec-WebSocket-Extensions: grip\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 strlen(events), events);
}

/* The client's own events, OPEN and TEXT, as the origin's. */
static int same_events_answer(const struct client *client) {
  size_t length = client->body <= EVENTS_MAX ? client->body : 0;
  int head = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Type: application/websocket-events\r\nContent-Length: %zu\r\n\r\n", length);
  if (length > 0) memcpy(answer + head, client->text, length);
  return head + (int)length;
}

static int open_answer(const char *channel) {
  char control[128], events[256];
  int length = snprintf(control, sizeof control, "c:{\"type\":\"subscribe\",\"channel\":\"%s\"}", channel);
  snprintf(events, sizeof events, "OPEN\r\nTEXT %X\r\n%s\r\n", (unsigned)length, control);
  return events_answer(events);
}

static int plain_answer(const char *body, size_t length) {
  int head = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", length);
  memcpy(answer + head, body, length);
  return head + (int)length;
}

static int count_answer(void) {
  char body[256];
  int length = sprintf(body, "{\"stream\":%llu,\"poll\":%llu,\"ws\":%llu,\"signatures\":%llu}\n",
                       (unsigned long long)asked[STREAM], (unsigned long long)asked[POLL],
                       (unsigned long long)asked[WEBSOCKET], (unsigned long long)signatures);
  return plain_answer(body, (size_t)length);
}

static void on_end(struct client *client) {
  char text[32];
  size_t size;
  int length;
  switch (client->kind) {
    case STREAM: length = hold_answer("stream", channel_of(client), "[open]\n"); break;
    case POLL: length = hold_answer("response", channel_of(client), "nothing\n"); break;
    case WEBSOCKET: length = open_answer(channel_of(client)); break;
    case BYTES:
      size = strtoull(client->path + 7, NULL, 10);
      length = plain_answer(pattern, size > BODY_MAX ? BODY_MAX : size);
      break;
    case SWALLOW: length = plain_answer(text, (size_t)sprintf(text, "%llu\n", (unsigned long long)client->body)); break;
    case COUNT: length = count_answer(); break;
    case EVENTS: length = same_events_answer(client); break;
    default:
      length = strncmp(client->path, "/ws", 3) == 0 ? events_answer("") : plain_answer("ok\n", 3);
      break;
  }
  respond(client, answer, (size_t)length);
}

int main(int count, char **arguments) {
  for (size_t i = 0; i < BODY_MAX; i++) pattern[i] = (char)('a' + i % 26);
  begin_loop();
  serve(count > 1 ? atoi(arguments[1]) : 0, 0);
}
