/** The callbacks of all nodes: servers that items are sent to. */
import { ask, Refused, segment } from '../api.js';
import { attempt, el, field, place, table, terms } from '../dom.js';
import { channelLink, time } from './connection.js';

/** @type {import('../main.js').View} */
export async function callback(main, { name, signal }) {
  const input = el('input', { value: name, spellcheck: 'false', required: true, id: 'callback-id' });
  const go = (/** @type {Event} */ event) => {
    event.preventDefault();
    location.hash = place('callback', input.value);
  };
  main.append(el('form', { onSubmit: go }, field('Id of a callback', input), el('button', {}, 'Show')));
  try {
    await (name === '' ? list(main, signal) : one(main, name, signal));
  } catch (error) {
    // Without the option there is no such path, whatever the id.
    if (!(error instanceof Refused) || error.status !== 404) throw error;
    main.append(
      el('p', { class: 'note' }, name === '' ? 'There are none: callbacks is not set.' : 'There is none with this id.'),
    );
  }
}

/** @param {HTMLElement} main @param {AbortSignal} signal */
async function list(main, signal) {
  const shown = el('div');
  const said = el('p', { class: 'bad', role: 'status' });
  const more = el('button', { type: 'button', hidden: true }, 'More');
  main.append(el('h2', {}, 'Callbacks'), shown, more, said);
  /** @type {any[]} */
  const rows = [];
  /** @type {string | undefined} */
  let next;
  const load = async () => {
    const after = next === undefined ? '' : `?${new URLSearchParams({ after: next })}`;
    const page = await ask(`subscriptions${after}`, { signal });
    rows.push(...page.subscriptions);
    next = page.next;
    more.hidden = next === undefined;
    shown.replaceChildren(
      table(
        ['id', 'state', 'failures', 'lost', 'url'],
        rows.map(({ id, state, failures, lost, url }) => [
          el('a', { href: place('callback', id) }, id),
          stateOf(state),
          failures,
          lost,
          url,
        ]),
      ),
    );
  };
  more.addEventListener('click', () => void attempt(said, load));
  await load();
}

/** @param {HTMLElement} main @param {string} id @param {AbortSignal} signal */
async function one(main, id, signal) {
  const path = `subscriptions/${segment(id)}`;
  const view = await ask(path, { signal });
  const said = el('p', { role: 'status' });
  const end = () =>
    attempt(said, async () => {
      await ask(path, { method: 'DELETE' });
      return 'It has ended.';
    });
  main.append(
    el('h2', {}, 'Callback ', el('code', {}, view.id)),
    terms({
      state: stateOf(view.state),
      url: view.url,
      expires: time(view.expires),
      'items waiting': view.backlog && String(view.backlog),
      'items lost': String(view.lost),
      'failures in a row': String(view.failures),
      'last error': view.error,
      at: view['error-at'] && time(view['error-at']),
    }),
    el('h2', {}, 'Its channels'),
    table(
      ['channel', 'filters'],
      view.channels.map((/** @type {any} */ { name, filters }) => [channelLink(name), filters.join(', ')]),
    ),
    el(
      'p',
      {},
      el('button', { type: 'button', class: 'danger', id: 'end-callback', onClick: end }, 'End this callback'),
    ),
    said,
  );
}

/** @param {string} state */
function stateOf(state) {
  return state === 'active' ? state : el('b', { class: 'bad' }, state);
}
