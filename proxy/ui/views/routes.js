/** The routes in force on this node, with their targets. */
import { ask } from '../api.js';
import { el, table } from '../dom.js';

/** @type {import('../main.js').View} */
export async function routes(main, { signal }) {
  const { routes } = await ask('routes', { signal });
  const words = (/** @type {readonly string[]} */ properties) => properties.map((word) => [el('code', {}, word), ' ']);
  main.append(
    el('h2', {}, 'Routes'),
    table(
      ['condition', 'id', 'properties', 'targets, in the order in which they are tried'],
      routes.map((/** @type {any} */ { condition, id, properties, targets }) => [
        el('code', {}, condition),
        id ?? '',
        words(properties),
        targets.map((/** @type {any} */ { target, properties }) =>
          el('div', {}, el('b', {}, target), ' ', words(properties)),
        ),
      ]),
    ),
    el('p', { class: 'note' }, 'A condition is domain, protocol, TLS and beginning of the path; * stands for any.'),
  );
}
