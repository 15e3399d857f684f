/** The connections of a user, on all nodes. */
import { ask, segment } from '../api.js';
import { attempt, el, field, place } from '../dom.js';
import { connectionTable } from './connection.js';

/** @type {import('../main.js').View} */
export async function user(main, { name, signal }) {
  const input = el('input', { value: name, maxlength: 255, spellcheck: 'false', required: true, id: 'user-name' });
  const go = (/** @type {Event} */ event) => {
    event.preventDefault();
    location.hash = place('user', input.value);
  };
  main.append(
    el('form', { onSubmit: go }, field('User, as origins name it (the meta “user”)', input), el('button', {}, 'Show')),
  );
  if (name === '') return;
  const { connections, cursor } = await ask(`users/${segment(name)}?limit=1000`, { signal });
  const said = el('p', { role: 'status' });
  const endAll = () =>
    attempt(said, async () => {
      const query = new URLSearchParams({ code: '4001', reason: 'signed out' });
      const { connections: ended } = await ask(`users/${segment(name)}?${query}`, { method: 'DELETE' });
      return `${ended} ended.`;
    });
  main.append(
    el('h2', {}, 'User ', el('code', {}, name)),
    connectionTable(connections),
    ...(cursor === undefined ? [] : [el('p', { class: 'note' }, 'There are more than these.')]),
    el('p', {}, el('button', { type: 'button', class: 'danger', id: 'end-user', onClick: endAll }, 'End all of them')),
    said,
  );
}
