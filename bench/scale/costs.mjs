// What things cost in the simulation. All times are CPU on the machine of bench/RESULTS.md; `npm run simulate -- --calibrate` measures those
// of Redis and of the node's connections anew, with a real redis-server and the real backplane.

/** A command in Redis: read, answered, written. Source: calibration, TIME on a kept connection beside others. */
export const REDIS_COMMAND_US = 5;

/** A topic of a SUBSCRIBE, and its confirmation. Source: calibration, 512 topics in a command. */
export const REDIS_TOPIC_US = 1;

/** A command of {@link reads} that a script calls, with the Lua around it. Source: calibration, the script that reads positions: two for a channel. */
export const REDIS_READ_US = 1.6;

/** A command of {@link writes}, likewise. Source: calibration, an item that nobody is subscribed to, less what it reads. */
export const REDIS_WRITE_US = 3.5;

/** Commands that scripts read by. @type {ReadonlySet<string>} */
export const reads = new Set(['TIME', 'GET', 'MGET', 'HGET', 'HMGET', 'PTTL', 'EXISTS', 'XRANGE', 'XREVRANGE']);

/** Commands that they write by. @type {ReadonlySet<string>} */
export const writes = new Set(['SET', 'DEL', 'HSET', 'PEXPIRE', 'XADD', 'PUBLISH', 'SPUBLISH']);

/** A message of pub/sub to one connection, with its write. Source: calibration, one item with 1 and with 5 receivers. */
export const REDIS_PUSH_US = 2;

/** A channel that a node subscribes to again: its part of SUBSCRIBE, its confirmation, and where it stands. Source: calibration. */
export const NODE_CHANNEL_US = 12;

/** An item that a node gets and gives to the first of its subscribers. Source: bench, part `publish`, the node that delivers. */
export const NODE_ITEM_US = 30;

/** Each further subscriber of it. Source: bench, part `streams`. */
export const NODE_DELIVERY_US = 11;

/** A hold that is opened. Source: bench, part `streams`, between its edges. */
export const NODE_OPEN_US = 220;

/** Any other answer that a node reads, and the command that it was asked by. Source: calibration. */
export const NODE_COMMAND_US = 15;

/** What a node's own publish costs it, from the POST to the answer. Source: bench, part `publish`, the node asked. */
export const NODE_PUBLISH_US = 60;

/** One way, between a node and Redis. An assumption: machines of one data centre. */
export const LATENCY_MS = 0.25;

/** What the network of one Redis carries, in bytes a millisecond. An assumption: 10 Gbit/s. */
export const NIC_BYTES_PER_MS = 1_250_000;

/** Round trips until a new connection takes commands: TCP, HELLO, and INFO, by which the client finds that Redis has loaded its data. */
export const CONNECT_ROUND_TRIPS = 3;

/** Bytes around each part of a command or answer, as RESP has them. */
export const PART_BYTES = 8;
