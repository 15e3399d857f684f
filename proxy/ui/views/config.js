/** The configuration in force on this node, without secrets. */
import { ask } from '../api.js';
import { el } from '../dom.js';

/** @type {import('../main.js').View} */
export async function config(main, { signal }) {
  const { yaml = 'This node was started by a program.' } = await ask('config', { signal });
  main.append(el('h2', {}, 'Configuration in force'), el('pre', { tabindex: '0' }, yaml));
}
