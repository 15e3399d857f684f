/** The channels that somebody is on; one of them with its subscribers, members, history, and its items as they come. */
import { ask, segment } from '../api.js';
import { el, field, place, table, terms } from '../dom.js';
import { kindName, time } from './connection.js';
import { paged } from './paged.js';
import { tap } from './tap.js';

/** @type {import('../main.js').View} */
export async function channel(main, { name, signal }) {
  main.append(search(name));
  if (name === '') {
    main.append(el('h2', {}, 'Channels with subscribers'));
    return paged(main, 'channels', {}, signal, ({ channels }) => channels, channelTable);
  }
  const path = `channels/${segment(name)}`;
  const [about, members, history] = await Promise.all([
    ask(path, { signal }),
    ask(`${path}/members`, { signal }),
    ask(`${path}/history?limit=20&reverse=true`, { signal }).then(
      ({ items }) => historyTable(items),
      // It is not kept, or not for this user.
      (error) => el('p', { class: 'note' }, error.message),
    ),
  ]);
  const { subscribers, position, nodes, silent } = about;
  main.append(
    el('h2', {}, 'Channel ', el('code', {}, name)),
    terms({
      'long polls': String(subscribers.response),
      streams: String(subscribers.stream),
      WebSockets: String(subscribers.ws),
      position: position && `${position.epoch}:${position.offset}`,
      'silent nodes': silent.join(', '),
    }),
    el('p', {}, el('a', { href: place('connection', undefined, { channel: name }) }, 'Its connections')),
    el('h2', {}, 'Items as they are published'),
    tap(name, signal),
    el('h2', {}, 'Subscribers by node'),
    table(
      ['node', ...KINDS],
      nodes.map((/** @type {any} */ { node, subscribers }) => [
        el('code', { class: 'id' }, node.slice(0, 8)),
        ...counts(subscribers),
      ]),
      'Nobody is on it.',
    ),
    el('h2', {}, 'Members'),
    membersOf(members),
    el('h2', {}, 'History, the newest first'),
    history,
  );
}

const KINDS = ['long polls', 'streams', 'WebSockets'];

/** @param {any} subscribers */
const counts = ({ response, stream, ws }) => [response, stream, ws];

/** @param {string} name */
function search(name) {
  const input = el('input', { value: name, spellcheck: 'false', id: 'channel-name' });
  const go = (/** @type {Event} */ event) => {
    event.preventDefault();
    location.hash = input.value === '' ? place('channel') : place('channel', input.value);
  };
  return el('form', { onSubmit: go }, field('Channel, with the prefix of its route', input), el('button', {}, 'Show'));
}

/** @param {readonly any[]} channels */
function channelTable(channels) {
  const rows = channels.map(({ channel, subscribers }) => [
    channel === '' ? '(empty)' : el('a', { href: place('channel', channel) }, channel),
    ...counts(subscribers),
  ]);
  return table(['channel', ...KINDS], rows, 'Nobody is on any channel.');
}

/** @param {any} view */
function membersOf({ capped, connections, members = [] }) {
  if (capped) return el('p', {}, `${connections} connections of users: too many to be listed.`);
  const rows = members.map((/** @type {any} */ { user, kind, since, info, connections }) => [
    el('a', { href: place('user', user) }, user),
    kindName(kind),
    time(since),
    info ?? '',
    connections,
  ]);
  return table(
    ['user', 'kind', 'since', 'info', 'connections'],
    rows,
    'None: no user is there, or the route has no presence.',
  );
}

/** @param {readonly any[]} items */
function historyTable(items) {
  const rows = items.map(({ epoch, offset, id, formats }) => [
    `${epoch}:${offset}`,
    id ?? '',
    el('code', { class: 'whole' }, JSON.stringify(formats).slice(0, 1_000)),
  ]);
  return table(['position', 'id', 'formats'], rows, 'Nothing is kept.');
}
