/** Options about callbacks: servers that are sent items. Rows only; see `../table.ts`. */
import type { Option } from '../option.js';

const group = 'Callbacks';

export const callbackOptions = [
  {
    key: 'callbacks',
    group,
    type: 'bool',
    default: false,
    doc: "Whether servers can be subscribed: by `Grip-Callback` in an origin's answer, and by `PUT /subscriptions/{id}` of the control API; see [callbacks.md](callbacks.md). With Redis they and what waits for them last; without it they are in memory.",
  },
  {
    key: 'callbacks_allow',
    group,
    type: 'addresses',
    default: '',
    doc: 'Addresses and CIDR ranges that callbacks may lead to though they are not public, such as `10.0.0.0/8`. Without them requests go to public addresses alone.',
  },
  {
    key: 'callbacks_patience',
    group,
    type: 'duration',
    unit: 's',
    default: 86_400,
    min: 1,
    max: 2_592_000,
    doc: 'How long requests to a callback may fail, one after the other, before it is parked: then nothing is sent until it is made anew.',
  },
  /**
   * @limit {} items that wait for a callback (with Redis: for those of a channel)
   * @over the oldest go, counted as lost by each callback that has not had them
   */
  {
    key: 'callbacks_backlog_max',
    group,
    type: 'int',
    unit: 'items',
    default: 10_000,
    min: 1,
    max: 10_000_000,
    doc: 'Items that may wait for a callback; with Redis, for the callbacks of one channel together. Of more the oldest go.',
  },
  /**
   * @limit {} requests to callbacks of one host at a time, on each node
   * @over the next one waits
   */
  {
    key: 'callbacks_host_max',
    group,
    type: 'int',
    unit: 'requests',
    default: 16,
    min: 1,
    max: 256,
    doc: 'Requests to callbacks of one host that are under way at a time, on each node. To one callback it is always one.',
  },
] as const satisfies readonly Option[];
