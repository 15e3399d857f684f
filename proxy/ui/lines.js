/** Lines that come faster than anybody reads: only the last ones stay, and they are drawn a few times a second. */
import { count, el } from './dom.js';

/** Between two drawings, in ms: what comes in between is drawn at once, so that the page has time for its user. */
const DRAWN_EVERY_MS = 150;
/** Characters of a line that are shown. */
const LINE_MAX = 4_000;

/** A box of lines. */
export class Lines {
  /** @type {string[]} */
  #waiting = [];
  #skipped = 0;
  #timer = 0;

  /** @param {string} label @param {number} [max]  lines that stay */
  constructor(label, max = 200) {
    this.max = max;
    this.element = el('div', { class: 'lines', tabindex: '0', role: 'log', 'aria-live': 'off', 'aria-label': label });
  }

  /** @param {string} line */
  add(line) {
    this.#waiting.push(
      line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)} … ${count(line.length - LINE_MAX)} more characters` : line,
    );
    // What would be gone when it is drawn is let go at once.
    if (this.#waiting.length > 2 * this.max) {
      this.#skipped += this.#waiting.length - this.max;
      this.#waiting = this.#waiting.slice(-this.max);
    }
    this.#timer ||= setTimeout(() => this.#draw(), DRAWN_EVERY_MS);
  }

  clear() {
    this.#waiting = [];
    this.#skipped = 0;
    this.element.replaceChildren();
  }

  #draw() {
    this.#timer = 0;
    const { element, max } = this;
    const isAtEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - 20;
    const lines = this.#waiting.splice(0);
    const shown = lines.slice(-max);
    const skipped = this.#skipped + lines.length - shown.length;
    this.#skipped = 0;
    if (skipped > 0) shown.unshift(`… ${count(skipped)} more, too fast to be shown`);
    element.append(...shown.map((line) => el('div', {}, line)));
    while (element.childElementCount > max) element.firstElementChild?.remove();
    if (isAtEnd) element.scrollTop = element.scrollHeight;
  }
}
