/** A headless Chromium as a child process, and its pages, driven by the DevTools protocol over a WebSocket. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import WebSocket from 'ws';
import { startChild } from '../child.js';
import { until } from '../until.js';

/** No sandbox, since tests may run as root; nothing that calls home, and no throttling of pages in the background. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-component-update',
  '--disable-renderer-backgrounding',
  '--disable-sync',
  '--no-default-browser-check',
  '--no-first-run',
  '--no-proxy-server',
  '--remote-debugging-port=0',
];

/** Whether there is a Chromium to start. */
export const hasChromium = (): boolean => spawnSync('chromium', ['--version']).status === 0;

interface Reply {
  readonly id?: number;
  /** Of an event. */
  readonly method?: string;
  readonly params?: ProblemEvent;
  readonly sessionId?: string;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** What is common to the events that a page has a problem. */
interface ProblemEvent {
  /** Of `Runtime.consoleAPICalled`. */
  readonly type?: string;
  readonly args?: readonly { readonly value?: unknown; readonly description?: string }[];
  /** Of `Runtime.exceptionThrown`. */
  readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
  /** Of `Log.entryAdded`: what the browser says of the page, violations of its policy among it. */
  readonly entry?: { readonly level: string; readonly text: string; readonly url?: string };
}

/** The problem in an event; undefined where there is none. */
function problemOf(method: string, { type, args = [], exceptionDetails, entry }: ProblemEvent): string | undefined {
  if (exceptionDetails !== undefined)
    return `exception: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`;
  if (entry?.level === 'error' || entry?.level === 'warning') return `${entry.level}: ${entry.text} ${entry.url ?? ''}`;
  if (method !== 'Runtime.consoleAPICalled' || (type !== 'error' && type !== 'warning')) return undefined;
  return `console: ${args.map(({ value, description }) => value ?? description).join(' ')}`;
}

/** A browser that has started. */
export class Chromium {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  /** Problems of watched pages, by their sessions. */
  readonly #problems = new Map<string, string[]>();
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const reply = JSON.parse(data.toString()) as Reply;
      if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
      const problem = reply.method && problemOf(reply.method, reply.params ?? {});
      if (problem) this.#problems.get(reply.sessionId ?? '')?.push(problem);
    });
  }

  /** Starts one with a new profile, and further flags; both go with the test. */
  static async start(t: Test, flags: readonly string[] = []): Promise<Chromium> {
    const profile = mkdtempSync(join(tmpdir(), 'holdfast-chromium-'));
    // Helper processes may write for a moment after the browser has gone.
    t.teardown(() => rmSync(profile, { recursive: true, force: true, maxRetries: 10 }));
    const args = [...FLAGS, ...flags, `--user-data-dir=${profile}`, 'about:blank'];
    // The places of settings and caches too: nothing of it goes into the home directory.
    const env = { HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile };
    const child = startChild(t, { command: 'chromium', args, env });
    const [, url = ''] = await until(
      'the DevTools address',
      () => /^DevTools listening on (\S+)$/m.exec(child.stderr),
      () => child.stderr,
    );
    const socket = new WebSocket(url, { perMessageDeflate: false });
    t.teardown(() => socket.terminate());
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new Chromium(socket);
  }

  /** Calls a method of the DevTools protocol, in a page if a session is given. */
  async call<T>(method: string, params: object, sessionId?: string): Promise<T> {
    const id = ++this.#calls;
    const reply = new Promise<Reply>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    const { result, error } = await reply;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }

  /** Opens a page in a tab of its own. */
  async open(url: string): Promise<Page> {
    const { targetId } = await this.call<{ targetId: string }>('Target.createTarget', { url });
    const attaching = { targetId, flatten: true };
    const { sessionId } = await this.call<{ sessionId: string }>('Target.attachToTarget', attaching);
    const page = new Page(this, sessionId);
    await page.until(`document.readyState === 'complete' && location.href !== 'about:blank'`);
    return page;
  }

  /**
   * Opens a page whose problems are noted from the beginning: exceptions, errors and warnings in its console, and what it tried against
   * its Content-Security-Policy.
   */
  async watch(url: string): Promise<{ readonly page: Page; readonly problems: readonly string[] }> {
    const { targetId } = await this.call<{ targetId: string }>('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.call<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true });
    const problems: string[] = [];
    this.#problems.set(sessionId, problems);
    for (const domain of ['Runtime', 'Log', 'Page']) await this.call(`${domain}.enable`, {}, sessionId);
    const source = `addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) =>
      console.error('policy', violatedDirective, blockedURI, sample))`;
    await this.call('Page.addScriptToEvaluateOnNewDocument', { source }, sessionId);
    await this.call('Page.navigate', { url }, sessionId);
    const page = new Page(this, sessionId);
    await page.until(`document.readyState === 'complete' && location.href !== 'about:blank'`);
    return { page, problems };
  }
}

interface Evaluation {
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
}

/** One tab. */
export class Page {
  readonly #browser: Chromium;
  readonly #sessionId: string;

  constructor(browser: Chromium, sessionId: string) {
    this.#browser = browser;
    this.#sessionId = sessionId;
  }

  /**
   * Evaluates JavaScript in the page; a promise is waited for. The value must be one that JSON can hold.
   * @throws Error what the script throws
   */
  async evaluate<T>(expression: string): Promise<T> {
    const params = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.#browser.call<Evaluation>(
      'Runtime.evaluate',
      params,
      this.#sessionId,
    );
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value as T;
  }

  /** Waits until an expression is true. */
  async until(expression: string): Promise<void> {
    await until(expression, () => this.evaluate<boolean>(expression));
  }

  /** Types a text into a field as a keyboard would. */
  async type(id: string, text: string): Promise<void> {
    await this.evaluate(`document.getElementById('${id}').select()`);
    await this.#browser.call('Input.insertText', { text }, this.#sessionId);
  }

  /** Clicks on an element. */
  async click(id: string): Promise<void> {
    await this.evaluate(`document.getElementById('${id}').click()`);
  }

  /** Gives the page a window of this size, and a light or dark scheme. */
  async show(width: number, height: number, scheme: 'light' | 'dark'): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.#browser.call('Emulation.setDeviceMetricsOverride', metrics, this.#sessionId);
    const media = { features: [{ name: 'prefers-color-scheme', value: scheme }] };
    await this.#browser.call('Emulation.setEmulatedMedia', media, this.#sessionId);
  }

  /** Presses a key in what has the focus. */
  async press(key: 'Enter' | 'Tab'): Promise<void> {
    const code = { Enter: 13, Tab: 9 }[key];
    const pressed = { key, code: key, windowsVirtualKeyCode: code, ...(key === 'Enter' && { text: '\r' }) };
    await this.#browser.call('Input.dispatchKeyEvent', { type: 'keyDown', ...pressed }, this.#sessionId);
    await this.#browser.call('Input.dispatchKeyEvent', { type: 'keyUp', ...pressed }, this.#sessionId);
  }

  /** What a window of this size shows, in CSS pixels, as a PNG. */
  async picture(width: number, height: number): Promise<Buffer> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.#browser.call('Emulation.setDeviceMetricsOverride', metrics, this.#sessionId);
    const parameters = { format: 'png', clip: { x: 0, y: 0, width, height, scale: 1 }, captureBeyondViewport: true };
    const { data } = await this.#browser.call<{ data: string }>('Page.captureScreenshot', parameters, this.#sessionId);
    return Buffer.from(data, 'base64');
  }
}
