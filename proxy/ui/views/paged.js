/** A list of the control API that comes page by page. */
import { ask } from '../api.js';
import { attempt, el } from '../dom.js';

/** Rows of a page. */
const ROWS = 100;

/**
 * Puts what has come so far into `main`, and a button for more.
 *
 * @param {HTMLElement} main
 * @param {string} path  of the list
 * @param {Record<string, string>} asked  its parameters
 * @param {AbortSignal} signal
 * @param {(page: any) => readonly any[]} rowsOf  an answer
 * @param {(rows: readonly any[]) => HTMLElement} draw
 */
export async function paged(main, path, asked, signal, rowsOf, draw) {
  const shown = el('div');
  const said = el('p', { class: 'bad', role: 'status' });
  const more = el('button', { type: 'button', hidden: true }, 'More');
  main.append(shown, more, said);
  /** @type {any[]} */
  const rows = [];
  /** @type {string | undefined} */
  let cursor;
  const load = async () => {
    const query = new URLSearchParams({ ...asked, limit: String(ROWS), ...(cursor !== undefined && { cursor }) });
    const page = await ask(`${path}?${query}`, { signal });
    rows.push(...rowsOf(page));
    cursor = page.cursor;
    shown.replaceChildren(draw(rows));
    more.hidden = cursor === undefined;
    if (page.silent.length > 0) said.textContent = `Without what is on ${page.silent.length} silent nodes.`;
  };
  more.addEventListener('click', () => void attempt(said, load));
  await load();
}
