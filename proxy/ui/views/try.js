/** Opens connections through the proxy, as clients do, and publishes to them. */
import { ask } from '../api.js';
import { attempt, el, field } from '../dom.js';
import { Lines } from '../lines.js';
import { clientKinds } from './clients.js';
import { publisher, receivedOf } from './publisher.js';

/** @type {import('../main.js').View} */
export async function tryIt(main, { signal }) {
  const base = el('input', { value: await listener(signal), spellcheck: 'false', required: true, id: 'try-base' });
  const path = el('input', { value: '/stream', spellcheck: 'false', required: true, id: 'try-path' });
  const kind = el(
    'select',
    { id: 'try-kind' },
    clientKinds.map(({ id, title }) => el('option', { value: id }, title)),
  );
  kind.addEventListener('change', () => {
    path.value = clientKinds.find(({ id }) => id === kind.value)?.path ?? path.value;
  });
  const said = el('p', { class: 'bad', role: 'status' });
  const clients = el('div', { class: 'clients' });
  let number = 0;
  const open = (/** @type {Event} */ event) => {
    event.preventDefault();
    void attempt(said, async () => {
      const url = new URL(path.value, base.value).href;
      const chosen = clientKinds.find(({ id }) => id === kind.value);
      if (chosen !== undefined) clients.prepend(clientOf(chosen, ++number, url, signal));
    });
  };
  main.append(
    el('h2', {}, 'Open a connection'),
    el(
      'form',
      { onSubmit: open },
      field('Listener of clients', base),
      field('As', kind),
      field('Path', path),
      el('button', { class: 'main', id: 'try-open' }, 'Open'),
    ),
    said,
    publisher(),
    el('h2', {}, 'Connections of this page'),
    clients,
    el(
      'p',
      { class: 'note' },
      'To the application this page is another site: a browser lets it read an answer only where the route has aco, or the application ' +
        'allows it. WebSockets need neither, but an application may look at their Origin. A browser holds six requests to one listener at a time.',
    ),
  );
}

/** Where clients are served, under the name of this page if that is everywhere. @param {AbortSignal} signal */
async function listener(signal) {
  const { clients } = await ask('config', { signal }).catch(() => ({ clients: [] }));
  const url = new URL(
    clients.find((/** @type {string} */ url) => URL.canParse(url)) ?? `http://${location.hostname}:7999`,
  );
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = location.hostname;
  return url.origin;
}

/**
 * @param {import('./clients.js').ClientKind} kind
 * @param {number} number
 * @param {string} url
 * @param {AbortSignal} signal
 */
function clientOf({ title, open }, number, url, signal) {
  const lines = new Lines(`Connection ${number}`);
  const own = new AbortController();
  const end = () => own.abort();
  signal.addEventListener('abort', end);
  const close = el('button', { type: 'button' }, 'Close');
  const section = el(
    'section',
    { 'data-client': number },
    el('h3', {}, el('span', {}, `${number}: ${title} `, el('code', {}, url.slice(new URL(url).origin.length))), close),
    lines.element,
  );
  close.addEventListener('click', () => {
    if (own.signal.aborted) section.remove();
    end();
    signal.removeEventListener('abort', end);
    close.textContent = 'Remove';
  });
  const log = (/** @type {string} */ text) => {
    const delay = receivedOf(text);
    const shown = delay === undefined ? '' : `+${delay.toFixed(1)} ms  `;
    lines.add(`${new Date().toISOString().slice(11, 23)}  ${shown}${text}`);
  };
  open(url, own.signal, log);
  return section;
}
