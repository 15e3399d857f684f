/** Elements, whose texts are only ever texts: what comes from a channel's name or an item never becomes HTML. */

/**
 * Makes an element. Attributes by name; `onX` are listeners, `class` the classes. Children that are no nodes become texts; undefined,
 * null and false are left out.
 *
 * @param {string} name
 * @param {Record<string, unknown>} [attributes]
 * @param {...unknown} children
 * @returns {any}
 */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(key.slice(2).toLowerCase(), /** @type {any} */ (value));
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** @param {readonly unknown[]} children @returns {(Node | string)[]} */
function nodes(children) {
  return children
    .flat(3)
    .filter((child) => child !== undefined && child !== null && child !== false)
    .map((child) => (child instanceof Node ? child : legible(String(child))));
}

/** Controls and marks without a width, but tab, end of line and joiners, which scripts and emoji need. */
const INVISIBLE = /(?![\t\n\u200c\u200d])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** A text in which characters can be seen that would hide, or turn others around. @param {string} text */
export function legible(text) {
  return text.replace(INVISIBLE, (character) => {
    const code = /** @type {number} */ (character.codePointAt(0)).toString(16).padStart(4, '0');
    return code.length === 4 ? `\\u${code}` : `\\u{${code}}`;
  });
}

/**
 * A table. Cells as {@link el} takes children; numbers stand at the right.
 *
 * @param {readonly string[]} heads
 * @param {readonly (readonly unknown[])[]} rows
 * @param {string} none  what stands there without rows
 */
export function table(heads, rows, none = 'None.') {
  if (rows.length === 0) return el('p', { class: 'note' }, none);
  const cell = (/** @type {unknown} */ value) =>
    typeof value === 'number' ? el('td', { class: 'number' }, count(value)) : el('td', {}, value);
  const numbers = heads.map((_, i) => rows.every((row) => typeof row[i] === 'number'));
  return el(
    'div',
    { class: heads.length > 4 ? 'scroll wide' : 'scroll' },
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          heads.map((head, i) => el('th', numbers[i] ? { class: 'number' } : {}, head)),
        ),
      ),
      el(
        'tbody',
        {},
        rows.map((row) => el('tr', {}, row.map(cell))),
      ),
    ),
  );
}

/** A list of terms; those without a value are left out. @param {Record<string, unknown>} terms */
export function terms(terms) {
  const known = Object.entries(terms).filter(([, value]) => value !== undefined && value !== '');
  return el(
    'dl',
    {},
    known.map(([term, value]) => [el('dt', {}, term), el('dd', {}, value)]),
  );
}

/** A labelled field. @param {string} label @param {any} control */
export function field(label, control) {
  return el('label', {}, label, control);
}

/** @param {string} number @param {string} label @param {string} [kind] */
export function tile(number, label, kind = '') {
  return el('div', { class: 'tile' }, el('b', { class: kind }, number), el('span', {}, label));
}

/** @param {number} value */
export function count(value) {
  return Number.isFinite(value) ? value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 }) : '–';
}

/** Seconds as people say them. @param {number} seconds */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 1) return `${count(seconds * 1_000)} ms`;
  if (seconds < 120) return `${count(seconds)} s`;
  if (seconds < 7_200) return `${count(Math.floor(seconds / 60))} min`;
  return seconds < 172_800 ? `${count(Math.floor(seconds / 3_600))} h` : `${count(Math.floor(seconds / 86_400))} days`;
}

/**
 * The place of a view: of a thing, or of a question.
 *
 * @param {string} view
 * @param {string} [name]
 * @param {Record<string, string>} [query]  without those that are empty
 */
export function place(view, name, query = {}) {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '')).toString();
  return `#/${view}${name === undefined ? '' : `/${encodeURIComponent(name)}`}${asked === '' ? '' : `?${asked}`}`;
}

/** Does something that can fail, whose end is said in `said`. @param {HTMLElement} said @param {() => Promise<string | void>} act */
export async function attempt(said, act) {
  try {
    said.textContent = legible((await act()) ?? '');
  } catch (error) {
    said.textContent = legible(/** @type {Error} */ (error).message);
  }
}
