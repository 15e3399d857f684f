/* An origin's own WebSocket: its side of the handshake, and every message back to where it came from. */
#ifndef BENCH_WEBSOCKET_H
#define BENCH_WEBSOCKET_H

#include "server.h"

/* RFC 6455 §1.3. */
#define KEY_SUFFIX "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
/* Characters of a key. */
#define KEY_LENGTH 24

static uint32_t rotated(uint32_t value, int by) { return value << by | value >> (32 - by); }

static void sha1_block(uint32_t state[5], const uint8_t *block) {
  uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
  for (int i = 0; i < 16; i++) w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 80; i++) w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  for (int i = 0; i < 80; i++) {
    uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
    uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
    uint32_t next = rotated(a, 5) + f + e + k + w[i];
    e = d;
    d = c;
    c = rotated(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

/* Sec-WebSocket-Accept for a key (RFC 6455 §4.2.2): SHA-1, FIPS 180-4, of 60 characters, which are two blocks; in base64. */
static void accept_of(const char *key, char out[29]) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  uint8_t text[128] = {0}, hash[21] = {0};
  size_t length = KEY_LENGTH + strlen(KEY_SUFFIX);
  memcpy(text, key, KEY_LENGTH);
  memcpy(text + KEY_LENGTH, KEY_SUFFIX, strlen(KEY_SUFFIX));
  text[length] = 0x80;
  text[126] = (uint8_t)(length * 8 >> 8);
  text[127] = (uint8_t)(length * 8);
  sha1_block(state, text);
  sha1_block(state, text + 64);
  for (int i = 0; i < 20; i++) hash[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
  for (int i = 0; i < 7; i++) {
    uint32_t three = (uint32_t)hash[3 * i] << 16 | (uint32_t)hash[3 * i + 1] << 8 | hash[3 * i + 2];
    for (int j = 0; j < 4; j++) out[4 * i + j] = digits[three >> (18 - 6 * j) & 63];
  }
  out[27] = '=';
  out[28] = 0;
}

/* The bytes of a client's frame, of which `room` are there; 0 where its head is not whole. `*payload`: where its content begins. */
static size_t frame_size(const uint8_t *frame, size_t room, size_t *payload) {
  size_t head = 6;
  if (room < 2) return 0;
  uint64_t length = frame[1] & 127;
  if (length == 126) head = 8;
  else if (length == 127) head = 14;
  if (room < head) return 0;
  if (length >= 126) {
    size_t bytes = length == 126 ? 2 : 8;
    length = 0;
    for (size_t i = 0; i < bytes; i++) length = length << 8 | frame[2 + i];
  }
  *payload = head;
  return head + length;
}

/* Answers one frame: with the same, or a Pong. A Pong is not answered. */
static void echo_frame(struct client *client, uint8_t *frame, size_t payload, size_t size) {
  const uint8_t *mask = frame + payload - 4;
  int opcode = frame[0] & 15;
  if (opcode == 10) return;
  for (size_t i = payload; i < size; i++) frame[i] ^= mask[(i - payload) & 3];
  /* Without its mask the head is four bytes shorter. */
  frame[1] &= 127;
  if (opcode == 9) frame[0] = 0x8a;
  memmove(frame + 4, frame, payload - 4);
  respond(client, (const char *)frame + 4, size - 4);
}

/* What comes after the handshake: whole frames are answered, the beginning of another is kept. */
static void echo_frames(struct client *client, char *at, char *end) {
  struct message *in = &client->in;
  size_t had = in->kept, more = (size_t)(end - at), size, payload;
  if (had > 0) {
    in->part = realloc(in->part, had + more);
    memcpy(in->part + had, at, more);
    at = in->part;
    end = at + had + more;
  }
  while ((size = frame_size((uint8_t *)at, (size_t)(end - at), &payload)) > 0 && size <= (size_t)(end - at)) {
    echo_frame(client, (uint8_t *)at, payload, size);
    at += size;
  }
  in->kept = (uint32_t)(end - at);
  if (in->kept == 0) return;
  if (had == 0) in->part = realloc(in->part, in->kept);
  memmove(in->part, at, in->kept);
}

/* Takes the handshake with this key; the connection is no HTTP from here on. */
static void begin_echo(struct client *client, const char *key) {
  char accept[29], head[192];
  accept_of(key, accept);
  int length = sprintf(head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
  message_reset(&client->in, 0);
  client->raw = echo_frames;
  respond(client, head, (size_t)length);
}

#endif
