/*
 * What is published, and the same bytes once more as what every client is to receive: item after item, all of one size,
 * each with its number and a content of its own, so that comparing the bytes finds anything that is lost, doubled, out of
 * order or changed.
 */
#ifndef BENCH_ITEM_H
#define BENCH_ITEM_H

#include "loop.h"

/* "#00000001:" and the line end. */
#define ITEM_MIN 12

static char *expected;
static uint64_t expected_length, expected_room;
/* When each item of `expected` was published or due, in ns; 0: its receipts are not timed. */
static uint64_t *due_at;
/* The same of the items to come. */
static uint64_t published_at;
static uint32_t item_number;

/* Appends the next item to what is expected, and returns it. */
static const char *next_item(void) {
  size_t size = (size_t)options.size;
  if (expected_length + size > expected_room) {
    expected_room = (expected_length + size) * 2;
    expected = realloc(expected, expected_room);
    due_at = realloc(due_at, expected_room / size * sizeof *due_at);
  }
  due_at[expected_length / size] = published_at;
  char *item = expected + expected_length;
  uint32_t number = ++item_number;
  char head[16];
  int head_length = snprintf(head, sizeof head, "#%08u:", number);
  for (size_t i = 0; i < size; i++) item[i] = (char)('a' + (i + number) % 26);
  memcpy(item, head, (size_t)head_length);
  item[size - 1] = '\n';
  expected_length += size;
  return item;
}

/* Bytes that one item takes in a publish, with all around it. */
static size_t published_room(void) { return (size_t)options.size + 512; }

static const char *format_of_kind(void) {
  if (strcmp(options.kind, "ws") == 0) return "\"ws-message\":{\"content\":\"";
  if (strcmp(options.kind, "poll") == 0) return "\"http-response\":{\"body\":\"";
  return "\"http-stream\":{\"content\":\"";
}

/* One entry of a GRIP publish; the bytes written. */
static size_t grip_entry(char *out, const char *channel, const char *item) {
  return (size_t)sprintf(out, "{\"channel\":\"%s\",\"formats\":{%s%.*s\\n\"}}}", channel, format_of_kind(), options.size - 1, item);
}

static size_t post(char *out, const char *path, const char *body, size_t length) {
  /* The host that every control API takes: clients' names are theirs only. */
  int head = sprintf(out, "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     path, options.publish_header, length);
  memcpy(out + head, body, length);
  return (size_t)head + length;
}

#endif
