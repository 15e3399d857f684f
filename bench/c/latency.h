/*
 * Durations, collected in a log-linear histogram of 1.6 % resolution, and the one clock that they are taken from
 * (CLOCK_MONOTONIC, which all processes of a machine share). Quantiles are made of the printed histogram, so that several
 * rounds and processes can be added up.
 */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* 64 steps to each power of two; below 64 units each value has its own. */
#define STEP_BITS 6
#define STEPS (1 << STEP_BITS)
#define BUCKETS (STEPS * (40 - STEP_BITS))
/* Nanoseconds of a unit: 1/8 µs. */
#define UNIT_NS 125

struct latency {
  uint64_t count;
  uint64_t buckets[BUCKETS];
};

static inline uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline void latency_clear(struct latency *all) { memset(all, 0, sizeof *all); }

static inline void latency_add(struct latency *all, uint64_t ns) {
  uint64_t value = ns / UNIT_NS;
  int exponent = value < STEPS ? 0 : 63 - __builtin_clzll(value) - STEP_BITS;
  uint64_t index = value < STEPS ? value : (uint64_t)exponent * STEPS + (value >> exponent);
  all->buckets[index < BUCKETS ? index : BUCKETS - 1]++;
  all->count++;
}

/* The middle of a bucket in µs. */
static inline double bucket_us(int index) {
  int exponent = index < 2 * STEPS ? 0 : index / STEPS - 1;
  uint64_t low = exponent == 0 ? (uint64_t)index : (uint64_t)(index % STEPS + STEPS) << exponent;
  return ((double)low + (double)((1ull << exponent) - 1) / 2) * UNIT_NS / 1000;
}

/* "name":[[µs, how many], …], in rising order. */
static inline void latency_print(const char *name, const struct latency *all) {
  const char *between = "";
  printf(",\"%s\":[", name);
  for (int i = 0; i < BUCKETS; i++) {
    if (all->buckets[i] == 0) continue;
    printf("%s[%.3f,%llu]", between, bucket_us(i), (unsigned long long)all->buckets[i]);
    between = ",";
  }
  printf("]");
}

/* The value below which `share` (0 to 1) of all lie, in µs; 0 when there is none. */
static inline double latency_quantile(const struct latency *all, double share) {
  uint64_t wanted = (uint64_t)((double)all->count * share), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += all->buckets[i];
    if (all->buckets[i] > 0 && seen > wanted) return bucket_us(i);
    if (all->buckets[i] > 0 && seen == all->count) return bucket_us(i);
  }
  return 0;
}

#endif
