/** The items of a channel as they are published, started and stopped by hand: a tap is work for the node. */
import { lines, segment } from '../api.js';
import { count, el, legible } from '../dom.js';
import { Lines } from '../lines.js';

/** @param {string} channel @param {AbortSignal} signal */
export function tap(channel, signal) {
  const shown = new Lines('Items');
  const state = el('span', { class: 'note', role: 'status', id: 'tap-state' }, 'not running');
  const button = el('button', { type: 'button', class: 'main', id: 'tap' }, 'Start');
  /** @type {AbortController | undefined} */
  let running;

  const start = () => {
    const own = new AbortController();
    let items = 0;
    let isSaid = true;
    const say = () => {
      isSaid = true;
      if (running === own) state.textContent = `running, ${count(items)} lines`;
    };
    running = own;
    button.textContent = 'Stop';
    say();
    const onLine = (/** @type {string} */ line) => {
      if (line === '') return; // a heartbeat
      items++;
      shown.add(line);
      if (isSaid) setTimeout(say, 250);
      isSaid = false;
    };
    const over = (/** @type {string} */ why) => {
      if (running !== own) return;
      running = undefined;
      button.textContent = 'Start';
      state.textContent = legible(`${why} after ${count(items)} lines`);
    };
    own.signal.addEventListener('abort', () => over('stopped'));
    lines(`channels/${segment(channel)}/items`, own.signal, onLine).then(
      () => over('the node has ended it'),
      (error) => over(error.message),
    );
  };

  signal.addEventListener('abort', () => running?.abort());
  button.addEventListener('click', () => (running === undefined ? start() : running.abort()));
  const clear = el('button', { type: 'button', onClick: () => shown.clear() }, 'Clear');
  return el('div', {}, el('p', {}, button, ' ', clear, ' ', state), shown.element);
}
