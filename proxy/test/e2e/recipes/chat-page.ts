/** The page of the chat of the examples, in a real browser: what a person does with it, and what it shows. */
import type { Chromium, Page } from '../../kit/clients/chromium.js';
import { until } from '../../kit/until.js';

/** The page of the chat in a tab of its own. */
export class Person {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  /** Opens the page and joins a room. */
  static async join(browser: Chromium, url: string, name: string, room = 'lobby'): Promise<Person> {
    const person = new Person(await browser.open(url));
    await person.enter(name, room);
    return person;
  }

  async enter(name: string, room = 'lobby'): Promise<void> {
    await this.page.type('name', name);
    await this.page.type('room', room);
    await this.page.click('join');
    await this.is('open');
  }

  /** Waits until the page says of its connection that it is so. */
  is(state: 'open' | 'waiting' | 'closed'): Promise<void> {
    return this.page.until(`document.getElementById('state').dataset.state === '${state}'`);
  }

  async say(text: string): Promise<void> {
    await this.page.type('text', text);
    await this.page.click('send');
  }

  /** The lines of these kinds that the page shows; a text as `Ann: hello`, with `(own)` and what has become of it. */
  lines(kinds = '.text, .note, .gap, .error'): Promise<string[]> {
    return this.page.evaluate<string[]>(`[...document.querySelectorAll('#messages > :is(${kinds})')].map((line) => {
      const part = (kind) => line.querySelector(kind).textContent.trim();
      if (!line.classList.contains('text')) return line.textContent;
      const fate = line.dataset.state === 'sent' ? '' : ' [' + line.dataset.state + ']';
      return (line.classList.contains('own') ? '(own) ' : '') + part('.from') + ': ' + part('.words') + fate;
    })`);
  }

  /** Waits until the page shows exactly these texts. */
  async shows(...texts: readonly string[]): Promise<void> {
    const wanted = JSON.stringify(texts);
    let seen = '';
    await until(
      wanted,
      async () => {
        seen = JSON.stringify(await this.lines('.text'));
        return seen === wanted;
      },
      () => seen,
    );
  }

  /** Waits for a line that is no text. */
  async notes(line: string): Promise<void> {
    await until(line, async () => (await this.lines('.note, .gap, .error')).includes(line));
  }

  /** Waits until the page lists exactly these people. */
  async sees(...people: readonly string[]): Promise<void> {
    await this.page.until(
      `JSON.stringify([...document.querySelectorAll('#people li')].map((one) => one.textContent)) === ${JSON.stringify(JSON.stringify(people))}`,
    );
  }

  async reload(): Promise<void> {
    await this.page.evaluate('window.isOld = true; location.reload()');
    await until('the page again', () =>
      this.page
        .evaluate<boolean>(`window.isOld === undefined && document.readyState === 'complete'`)
        .catch(() => false),
    );
  }
}
