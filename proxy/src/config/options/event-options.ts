/** Options about the events that the customer's own system is sent. Rows only; see `../table.ts`. */
import type { Option } from '../option.js';

const group = 'Events';

export const eventOptions = [
  {
    key: 'events_url',
    group,
    type: 'string',
    doc: 'URL (`https://…`, or `http://…`) that events about channels, connections and targets are posted to; see [events.md](events.md). Needs `events_key`. Off unless given.',
  },
  {
    key: 'events_key',
    group,
    type: 'secret',
    doc: 'Keys that sign what is posted to `events_url`, after Standard Webhooks: `whsec_` and 24 to 64 bytes in base64. Several, divided by white space, sign side by side while they rotate.',
  },
  {
    key: 'events',
    group,
    type: 'list',
    default: 'channel_occupied,channel_vacated',
    doc: 'Which events are sent: `channel_occupied`, `channel_vacated`, `connection_opened`, `connection_closed`, `user_online`, `user_offline`, `item_dropped`, `gap`, `target_down`, `subscription_parked`, `subscription_ended`.',
  },
  {
    key: 'events_channels',
    group,
    type: 'list',
    default: '',
    doc: 'Channels whose events are sent, by their full names; `*` stands for any characters or none. All unless given.',
  },
  {
    key: 'events_vacated_delay',
    group,
    type: 'duration',
    unit: 's',
    default: 5,
    min: 0,
    max: 3_600,
    doc: 'How long a channel or user is kept after the last client of a node has left, before it counts as vacated or offline; who comes back meanwhile, on any node, makes no event. Long polls have `subscription_linger` before that.',
  },
  {
    key: 'events_batch_max',
    group,
    type: 'int',
    unit: 'events',
    default: 100,
    min: 1,
    max: 1_000,
    doc: 'Events of one post.',
  },
  {
    key: 'events_batch_wait',
    group,
    type: 'duration',
    unit: 's',
    default: 1,
    min: 0,
    max: 60,
    doc: 'How long an event may wait for others to be posted with it.',
  },
] as const satisfies readonly Option[];
