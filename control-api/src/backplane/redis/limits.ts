/** The bounds of the Redis backplane, with their reasons. */

/**
 * Milliseconds that a publish waits for Redis to come back before it is rejected: a failed connection or a failover
 * in the making should not be seen by publishers, a Redis that is away should be, soon.
 *
 * @limit {s} that a publish waits for Redis
 * @over refused, 503
 */
export const PUBLISH_PATIENCE_MS = 1_000;

/**
 * Milliseconds after which a command without answer means that the connection is dead.
 *
 * @limit {s} for an answer
 * @over the connection is given up
 */
export const COMMAND_TIMEOUT_MS = 2_000;

/**
 * @limit {s} to connect
 * @over the attempt is given up
 */
export const CONNECT_TIMEOUT_MS = 2_000;

/**
 * @limit {s} for Redis when the node starts
 * @over the start fails
 */
export const START_PATIENCE_MS = 5_000;

/**
 * Milliseconds between checks that a subscriber connection, on which nothing need arrive for hours, still lives. The check asks for
 * the time, from which the lag of items is reckoned.
 *
 * @limit {s} between checks that a subscriber connection lives
 * @over –
 */
export const WATCH_EVERY_MS = 3_000;

/**
 * Milliseconds to the next attempt to connect, at most: while a subscriber connection is away, items must be fetched.
 *
 * @limit {s} to the next attempt to connect, at most
 * @over –
 */
export const RECONNECT_MAX_MS = 1_000;

/**
 * @limit {} messages that wait to be sent
 * @over refused, 503
 */
export const PUBLISH_QUEUE_MESSAGES = 50_000;

/**
 * @limit {Mi} characters that wait to be sent
 * @over refused, 503
 */
export const PUBLISH_QUEUE_CHARS = 64 * 1024 * 1024;

/**
 * @limit {Mi} characters of one message
 * @over a publish is refused, 503; a longer message of another program is handled as an unreadable one: counted,
 *   logged, and a gap
 */
export const PAYLOAD_CHARS = PUBLISH_QUEUE_CHARS;

/**
 * Messages in one batch, unless a single channel has more of one call: a script of so many keeps Redis from others for about 10 ms.
 *
 * @limit {} messages of one batch
 * @over the next batch; those of one call and channel are never divided
 */
export const BATCH_MESSAGES = 1_000;

/**
 * @limit {Mi} characters of one batch
 * @over the next batch; those of one call and channel are never divided
 */
export const BATCH_CHARS = 4 * 1024 * 1024;

/**
 * In a cluster, where each channel is a batch: how many are under way at the same time. All of them are to be answered within the
 * time of a command, whatever else the node is busy with.
 *
 * @limit {} channels of a partition under way at a time, in a cluster
 * @over the others wait
 */
export const BATCH_PARTS = 512;

/**
 * @limit {s} that Redis remembers the result of a batch; longer than any batch is repeated
 * @over –
 */
export const BATCH_TTL_MS = 30_000;

/**
 * Milliseconds that Redis remembers where an idle channel stands. Much longer than history, so that a channel keeps its
 * epoch although its items are gone.
 *
 * @limit {days} that Redis keeps the position of an idle channel
 * @over its count starts again, in another epoch
 */
export const META_TTL_MS = 7 * 24 * 3_600_000;

/**
 * Channels in one command; more would keep Redis from others for too long.
 *
 * @limit {} channels of one SUBSCRIBE
 * @over another command
 */
export const CHANNELS_PER_COMMAND = 512;

/**
 * Channels that are asked for on one connection at the same time. When Redis is back all nodes ask at once: what all of them have under way
 * has to be answered within the time of a command, or it is given up and asked again, and never comes to an end. Two commands of
 * {@link CHANNELS_PER_COMMAND} keep a node and Redis busy at once.
 *
 * @limit {} channels that are subscribed to at a time on a connection
 * @over the others wait
 */
export const CHANNELS_UNDER_WAY = 1_024;

/**
 * Milliseconds between the end of the interest in a channel and UNSUBSCRIBE: clients that leave often come back at once.
 *
 * @limit {s} between the end of interest and UNSUBSCRIBE
 * @over –
 */
export const UNSUBSCRIBE_LINGER_MS = 1_000;

/** Milliseconds of waiting for interest to become live above which items of that time are fetched from history. */
export const LATE_MS = 50;

/**
 * @limit {} channels that are backfilled at a time
 * @over the others wait
 */
export const MAX_BACKFILLS = 64;

/**
 * @limit {} items of one read of a backfill
 * @over the next read
 */
export const RANGE_ENTRIES = 256;

/**
 * At least one entry behind the first aside: entries may be as large as items.
 *
 * @limit {MiB} and an item of one read of a backfill
 * @over the next read
 */
export const RANGE_BYTES = 4 * 1024 * 1024;

/**
 * @limit {} messages of one channel that came too early
 * @over dropped, and read from the history instead
 */
export const HELD_MESSAGES = 1_000;

/**
 * @limit {Mi} characters of one channel that came too early
 * @over dropped, and read from the history instead
 */
export const HELD_CHARS = 1024 * 1024;

/**
 * @limit {Mi} characters of all channels that came too early
 * @over read from the history
 */
export const HELD_CHARS_TOTAL = 64 * 1024 * 1024;

/**
 * @limit 20 to 40 s between checks that no channel is behind
 * @over –
 */
export const POSITION_CHECK_MS = 20_000;

/**
 * One check in so many also keeps the positions of the channels from being forgotten, which is due within {@link META_TTL_MS}; that makes
 * it twice as expensive for Redis.
 */
export const CHECKS_PER_KEEPING = 100;

/**
 * Prefixes that patterns of all nodes begin with. Each node that publishes reads all of them whenever one is added.
 *
 * @limit {} prefixes of patterns in a system, with Redis
 * @over a subscription to a pattern with a further one is refused: an instruct's hold ends, a session is closed
 */
export const MAX_PREFIXES = 1_000;

/**
 * Milliseconds that a prefix is published to without being asked for again: patterns come and go with their clients, and each change
 * has all nodes read the set.
 *
 * @limit {s} that a prefix of a pattern is published to after its last node has gone
 * @over –
 */
export const PREFIX_TTL_MS = 90_000;

/** Milliseconds between two times that a node asks for its prefixes: several of them may fail. */
export const PREFIX_EVERY_MS = 25_000;

/**
 * Milliseconds after its acceptance in which a node may still give an item with `deliver: one` to a subscriber, by the clock of Redis. What
 * was taken is remembered for longer than that, so that nobody takes it again, not even a node that stood still.
 *
 * @limit {s} after its acceptance in which an item with `deliver: one` can be claimed, with Redis
 * @over nobody gets it
 */
export const CLAIM_AGE_MS = 10_000;

/**
 * Milliseconds that other nodes wait for the one whose turn it is: it may have been killed, or have lost its clients. Longer than a
 * node under load takes for an answer.
 *
 * @limit {s} that an item with `deliver: one` waits for the node whose turn it is
 * @over the next node gets it, and that one is taken out of the turns
 */
export const CLAIM_PATIENCE_MS = 300;

/** Milliseconds after the first node of a channel has asked in which the others are waited for, once. */
export const CLAIM_BEGIN_MS = 50;

/** Milliseconds that the turns of a channel are remembered. */
export const TURNS_TTL_MS = 3_600_000;

/**
 * Channels in whose turns a node knows itself to be, so that it can leave them when it has nobody for an item.
 *
 * @limit {} channels with items for one subscriber of which a node knows that it is in their turns
 * @over in others an item waits when its turn comes and it has nobody
 */
export const MAX_TURNS = 10_000;

/** Milliseconds until something that Redis refused is tried again. */
export const RETRY_MS = 100;

/**
 * @limit {s} between checks of the Cluster's topology, and at once after an error
 * @over –
 */
export const TOPOLOGY_EVERY_MS = 30_000;

/**
 * Items that wait for the callbacks of one channel in Redis, where `callbacks_backlog_max` says nothing else.
 *
 * @limit {} items that wait for the callbacks of a channel, unless configured
 * @over the oldest go; a callback that has not had them counts them as lost
 */
export const QUEUE_ITEMS = 10_000;
