/** The page: its views by the place behind `#`, the key, and what stands above all of them. */
import { ask, Refused, useKey, whenRefused } from './api.js';
import { el, legible, place } from './dom.js';
import { callback } from './views/callback.js';
import { channel } from './views/channel.js';
import { config } from './views/config.js';
import { connection } from './views/connection.js';
import { events } from './views/events.js';
import { overview } from './views/overview.js';
import { routes } from './views/routes.js';
import { tryIt } from './views/try.js';
import { user } from './views/user.js';

/**
 * What a view is asked for: a thing by its name, which may be empty, and further questions. With the next view `signal` aborts, and all
 * must end that it has begun.
 *
 * @typedef {{ readonly name: string, readonly query: URLSearchParams, readonly signal: AbortSignal }} Asked
 */

/** Fills its place. @typedef {(main: HTMLElement, asked: Asked) => void | Promise<void>} View */

/** @type {ReadonlyMap<string, readonly [title: string, view: View]>} */
const views = new Map([
  ['overview', ['Overview', overview]],
  ['channel', ['Channels', channel]],
  ['connection', ['Connections', connection]],
  ['user', ['Users', user]],
  ['try', ['Try it', tryIt]],
  ['events', ['Events', events]],
  ['callback', ['Callbacks', callback]],
  ['routes', ['Routes', routes]],
  ['config', ['Configuration', config]],
]);

/** Between two looks at the nodes, in ms. */
const STATE_EVERY_MS = 5_000;

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const main = byId('view');
const nav = byId('nav');
const state = byId('state');
const keyForm = byId('key');
const refused = byId('refused');
const secret = /** @type {HTMLInputElement} */ (byId('secret'));

let current = new AbortController();

async function show() {
  const [, id = '', thing = '', asked = ''] = /^#\/([a-z]+)(?:\/([^?]*))?(?:\?(.*))?$/.exec(location.hash) ?? [];
  const name = views.has(id) ? id : 'overview';
  const [title, view] = /** @type {readonly [string, View]} */ (views.get(name));
  current.abort();
  current = new AbortController();
  const { signal } = current;
  document.title = `${title} – Holdfast`;
  nav.replaceChildren(
    ...[...views].map(([id, [title]]) => el('a', { href: place(id), 'aria-current': id === name && 'page' }, title)),
  );
  // What a view puts there when it is over is not seen.
  const space = el('div', { 'data-view': name });
  main.replaceChildren(space);
  try {
    await view(space, { name: decoded(thing), query: new URLSearchParams(asked), signal });
    space.dataset.shown = 'yes';
  } catch (error) {
    if (signal.aborted || isForKey(error)) return;
    space.append(el('p', { class: 'bad', role: 'alert' }, /** @type {Error} */ (error).message));
  }
}

/** What the form for the key says already. @param {unknown} error */
function isForKey(error) {
  return error instanceof Refused && error.status === 401;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function watchState() {
  try {
    // Each question without a key would be one more that is refused, and counted so.
    if (keyForm.hidden) {
      const { nodes, silent, trouble } = await ask('nodes');
      const words = [`${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}`];
      if (silent.length > 0) words.push(`${silent.length} silent`);
      if (trouble !== undefined) words.push(trouble);
      say(words.join(', '), words.length > 1);
    }
  } catch (error) {
    say(isForKey(error) ? 'a key is needed' : /** @type {Error} */ (error).message, true);
  }
  setTimeout(watchState, STATE_EVERY_MS);
}

/** @param {string} text @param {boolean} isBad */
function say(text, isBad) {
  state.textContent = legible(text);
  state.className = isBad ? 'bad' : '';
}

whenRefused((hadKey) => {
  current.abort();
  refused.textContent = hadKey ? 'This key does not count.' : '';
  keyForm.hidden = false;
  secret.focus();
});
keyForm.addEventListener('submit', (event) => {
  event.preventDefault();
  useKey(secret.value);
  secret.value = '';
  refused.textContent = '';
  keyForm.hidden = true;
  say('', false);
  void show();
});
byId('skip').addEventListener('click', (event) => {
  // The place behind # is the view's.
  event.preventDefault();
  main.focus();
});
byId('again').addEventListener('click', () => void show());
addEventListener('hashchange', () => {
  void show();
  main.focus();
});
void show();
void watchState();
