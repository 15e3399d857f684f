/** Holds and sessions: those that fit, and one of them, which can be ended. */
import { ask, segment } from '../api.js';
import { attempt, el, field, place, table, terms } from '../dom.js';
import { paged } from './paged.js';

/** What connections can be chosen by. */
const CHOICES = /** @type {const} */ ([
  ['user', 'Of a user'],
  ['channel', 'On a channel'],
  ['route', 'Of a route, by its id'],
]);

/** @type {import('../main.js').View} */
export async function connection(main, { name, query, signal }) {
  if (name !== '') return one(main, name, signal);
  const chosen = Object.fromEntries(CHOICES.map(([choice]) => [choice, query.get(choice) ?? '']));
  const fields = CHOICES.map(([choice, label]) =>
    field(label, el('input', { name: choice, value: chosen[choice], spellcheck: 'false' })),
  );
  const go = (/** @type {Event} */ event) => {
    event.preventDefault();
    const given = [...new FormData(/** @type {HTMLFormElement} */ (event.target))];
    location.hash = place(
      'connection',
      undefined,
      Object.fromEntries(given.map(([choice, value]) => [choice, String(value)])),
    );
  };
  main.append(
    el('form', { onSubmit: go }, fields, el('button', {}, 'Show')),
    el('h2', {}, 'Connections that are held'),
  );
  const asked = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== ''));
  await paged(main, 'connections', asked, signal, ({ connections }) => connections, connectionTable);
}

/** @param {readonly any[]} connections */
export function connectionTable(connections) {
  const rows = connections.map(({ id, node, kind, user, client, since, channels, items, waiting }) => [
    el('a', { href: place('connection', id) }, el('code', { class: 'id' }, id)),
    kindName(kind),
    user === undefined ? '' : el('a', { href: place('user', user) }, user),
    [
      channels.slice(0, 3).map((/** @type {string} */ name) => el('div', {}, channelLink(name))),
      channels.length > 3 && `and ${channels.length - 3} more`,
    ],
    client,
    time(since),
    items,
    waiting,
    el('code', { class: 'id' }, node.slice(0, 8)),
  ]);
  const heads = ['id', 'kind', 'user', 'channels', 'client', 'since', 'items', 'bytes waiting', 'node'];
  return table(heads, rows, 'None.');
}

/** @param {string} name */
export function channelLink(name) {
  return name === '' ? '(empty)' : el('a', { href: place('channel', name) }, name);
}

/** @param {string} kind */
export function kindName(kind) {
  return { response: 'long poll', stream: 'stream', ws: 'WebSocket', xmpp: 'XMPP client' }[kind] ?? kind;
}

/** A point in time, by the clock of this machine. @param {string} text  ISO 8601 */
export function time(text) {
  return el('time', { datetime: text, title: text }, new Date(text).toLocaleString('sv'));
}

/** @param {HTMLElement} main @param {string} id @param {AbortSignal} signal */
async function one(main, id, signal) {
  const view = await ask(`connections/${segment(id)}`, { signal });
  const said = el('p', { role: 'status' });
  const code = el('input', { value: '1008', inputmode: 'numeric', maxlength: 4 });
  const reason = el('input', { maxlength: 123 });
  const end = (/** @type {Event} */ event) => {
    event.preventDefault();
    void attempt(said, async () => {
      const query = new URLSearchParams({ code: code.value, ...(reason.value !== '' && { reason: reason.value }) });
      await ask(`connections/${segment(id)}?${query}`, { method: 'DELETE' });
      return 'It has ended.';
    });
  };
  main.append(
    el('h2', {}, 'Connection ', el('code', {}, view.id)),
    terms({
      kind: kindName(view.kind),
      user: view.user && el('a', { href: place('user', view.user) }, view.user),
      session: view.session,
      route: view.route,
      client: view.client,
      since: time(view.since),
      expires: view.expires && time(view.expires),
      'items sent': String(view.items),
      'bytes waiting': String(view.waiting),
      node: view.node,
    }),
    el('h2', {}, 'Its channels'),
    table(
      ['channel'],
      view.channels.map((/** @type {string} */ name) => [channelLink(name)]),
    ),
    el('h2', {}, 'End it'),
    el(
      'form',
      { onSubmit: end },
      field('Close code, for a WebSocket', code),
      field('Reason, for a WebSocket', reason),
      el('button', { class: 'danger', id: 'end-connection' }, 'End this connection'),
    ),
    said,
  );
}
