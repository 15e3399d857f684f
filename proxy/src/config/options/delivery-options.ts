/** Options about holds, channels and the pace of delivery. Rows only; see `../table.ts`. */
import type { Option } from '../option.js';

const group = 'Delivery';

export const deliveryOptions = [
  /**
   * @limit no limit on deliveries per second
   * @over the others wait
   */
  {
    key: 'message_rate',
    group,
    type: 'limit',
    unit: 'deliveries per second',
    default: -1,
    min: -1,
    pushpin: ['handler.message_rate'],
    doc: 'Deliveries per second; 0 or -1 sets no limit.',
  },
  /**
   * @limit {} deliveries that wait on one route, with `message_rate` only
   * @over the delivery is dropped, counted and logged
   */
  {
    key: 'message_hwm',
    group,
    type: 'limit',
    unit: 'deliveries',
    default: 25_000,
    pushpinDefault: -1,
    min: -1,
    pushpin: ['handler.message_hwm'],
    doc: 'Deliveries that may wait for their turn under `message_rate`; 0 or -1 sets no limit.',
  },
  {
    key: 'message_block_size',
    group,
    type: 'limit',
    unit: 'bytes',
    default: -1,
    min: -1,
    pushpin: ['handler.message_block_size'],
    hidden: true,
    doc: 'Accounting unit of `message_rate`: a larger item counts as several.',
  },
  /**
   * @limit {} ms that an item waits for the one before it
   * @over it passes, after those before it in its chain
   */
  {
    key: 'message_wait',
    group,
    type: 'duration',
    unit: 'ms',
    default: 5000,
    min: 0,
    pushpin: ['handler.message_wait'],
    doc: 'How long an item that names a previous id waits for that one to come.',
  },
  /**
   * @limit {} s that an id is remembered
   * @over a later item with the same id is a new one
   */
  {
    key: 'id_cache_ttl',
    group,
    type: 'duration',
    unit: 's',
    default: 60,
    pushpinDefault: 0,
    min: 0,
    pushpin: ['handler.id_cache_ttl'],
    doc: 'How long item ids are remembered to drop duplicates; 0 turns this off.',
  },
  {
    key: 'update_on_first_subscription',
    group,
    type: 'bool',
    default: false,
    pushpinDefault: true,
    pushpin: ['handler.update_on_first_subscription'],
    doc: 'One second after the first subscription to a channel, have its held requests ask their origin again, and its streams fetch their next link: for publishers that cannot know when a subscription has reached them. A hold here is live as soon as it is made, so that others need not.',
  },
  /**
   * @limit {} channels of one instruct or session
   * @over the others are ignored, with a warning
   */
  {
    key: 'connection_subscription_max',
    group,
    type: 'int',
    unit: 'channels',
    default: 20,
    min: 1,
    pushpin: ['handler.connection_subscription_max'],
    doc: 'Channels one client connection may be subscribed to. An origin that names more is warned of in the log, and the rest is ignored.',
  },
  /**
   * @limit {} bytes of a channel's name in UTF-8, the prefix of its route included, and no control characters; no limit of its
   *   own with a pushpin.conf
   * @over refused and counted: publish 400, instruct 502, a session that asks for it is closed with 1011, `sub=` and `channels=`
   *   are an error of the routes, a view 400
   */
  {
    key: 'channel_name_max',
    group,
    type: 'limit',
    unit: 'bytes',
    default: 255,
    pushpinDefault: 0,
    min: -1,
    max: 1024,
    doc: 'Longest name of a channel, in bytes of UTF-8 and with the prefix of its route. With it, names with control characters are refused. 0 or -1 sets no limit, as Pushpin has none, but that of 1,024 bytes.',
  },
  /**
   * @limit {} s that a channel is kept after its last response hold
   * @over it is forgotten
   */
  {
    key: 'subscription_linger',
    group,
    type: 'duration',
    unit: 's',
    default: 60,
    min: 0,
    pushpin: ['handler.subscription_linger'],
    doc: 'How long a channel stays subscribed after the last response hold on it has gone.',
  },
  /**
   * @limit {} s that a user counts as present after the last connection
   * @over the user has left
   */
  {
    key: 'presence_delay',
    group,
    type: 'duration',
    unit: 's',
    default: 5,
    min: 0,
    max: 60,
    doc: 'How long a user who has gone from a channel may take to come back, to any node, without a leave and a join being published; for routes with `presence_events`.',
  },
  /**
   * @limit {} bytes that wait for one client of a stream or session; writes and items that wait count 64 each beside
   *   their own, and all of each item is counted
   * @over `slow_client_policy`
   */
  {
    key: 'client_queue_size',
    group,
    type: 'size',
    unit: 'bytes',
    default: 1_048_576,
    min: 1024,
    doc: 'How much may wait for one client that reads slowly.',
  },
  {
    key: 'slow_client_policy',
    group,
    type: 'enum',
    values: ['close', 'drop'],
    default: 'close',
    doc: 'What happens when `client_queue_size` is exceeded: `close` ends the connection, `drop` leaves the item out, except on streams that track prev-ids, which are ended all the same: they would never know of the loss.',
  },
  {
    key: 'hold_max_age',
    group,
    type: 'duration',
    unit: 's',
    default: 0,
    min: 0,
    max: 2_147_483,
    doc: 'How old a hold, stream or WebSocket becomes, give or take 10 % at random; then it ends as `aged`, so that its client comes back, to another node perhaps: a held request is answered as at its time-out and never later than that, a stream ends between items, a WebSocket is closed with 1012. 0 sets no limit.',
    uws: { effect: 'other', doc: 'a WebSocket message that the client is sending at that moment is lost' },
  },
  {
    key: 'history_replay',
    group,
    type: 'bool',
    default: false,
    doc: 'Serve clients that have missed items from the history of their channels: holds with a `prev-id`, and server-sent events that come back with the id that Holdfast gave them. The route parameters `history` and `resume` turn it on for single routes.',
  },
  /**
   * @limit {} items of a channel that the history keeps
   * @over the oldest go
   */
  {
    key: 'history_size',
    group,
    type: 'int',
    unit: 'items',
    default: 1000,
    min: 0,
    doc: 'Items that are kept of each channel: with Redis always, since nodes catch up from them after a lost connection; on a node that is alone where `history_replay` or a route asks for it. 0 keeps none.',
  },
  /**
   * @limit {} s that the history keeps an item; with Redis the time runs from the channel's last item, for all of them
   * @over the oldest go
   */
  {
    key: 'history_ttl',
    group,
    type: 'duration',
    unit: 's',
    default: 600,
    min: 1,
    doc: 'How long an item is kept in the history of its channel; with Redis the history as a whole, from its last item on, and up to an eighth longer.',
  },
  /**
   * @limit {} s from now to the `exp` of a subscriber's token
   * @over it is refused, 401
   */
  {
    key: 'token_lifetime_max',
    group,
    type: 'duration',
    unit: 's',
    default: 2_592_000,
    min: 1,
    doc: 'How far away the `exp` of a token for a `subscribe` target may be; see [subscribe.md](subscribe.md#revoking-tokens). A revocation is kept so long: all nodes must have the same. 30 days.',
  },
  {
    key: 'resume_key',
    group,
    type: 'secret',
    keyUse: 'sign',
    default: '',
    doc: 'Key that signs the ids and tokens with which clients come back for what they missed. In the forms of `sig_key`. Empty derives it from `sig_key`; where that has its default too a random one is made at each start, and no other node takes its tokens.',
  },
] as const satisfies readonly Option[];
