/** The connection to the XMPP server as a component (XEP-0114): made, made again with back-off, written to, and closed. */
import type { Containment, Log } from '@holdfast/control-api';
import { MAX_STANZA_BYTES } from '@holdfast/grip';
import type { ComponentPlace } from '../config/types/xmpp-component.js';
import type { Clock, Timer } from '../runtime/clock.js';
import { boundedParser, type TooMuch } from './bounded-parser.js';
import type { StanzaOutlet } from './client.js';
import type { ComponentLibrary, LibraryElement, LibraryEntity } from './component-library.js';

/**
 * Bytes of stanzas that wait for the server: in memory while it is away, and in the socket.
 *
 * @limit {MiB} of stanzas that wait for the XMPP server
 * @over they are dropped, and counted
 */
export const OUTBOX_MAX = 16 * 2 ** 20;

/**
 * @limit {s} for the XMPP server to take the component
 * @over the attempt has failed
 */
export const TAKEN_MS = 10_000;

/**
 * ms before the first further attempt; doubled each time up to `LAST_PAUSE_MS`, and up to a quarter more at random.
 *
 * @limit {s} before the XMPP server is connected to again, doubled each time up to `LAST_PAUSE_MS`
 * @over –
 */
export const FIRST_PAUSE_MS = 1_000;

/**
 * @limit {s} as the longest such pause
 * @over –
 */
export const LAST_PAUSE_MS = 60_000;

/**
 * A connection that lasted so long, in ms, was a good one: what comes after its end begins with the first pause.
 *
 * @limit {s} after which a connection to the XMPP server counts as steady
 * @over the next attempt comes after the first pause
 */
const STEADY_MS = 30_000;

/** How long the server may say nothing before it is probed by TCP, in ms. */
const PROBE_MS = 60_000;

/**
 * How long the goodbye may take, in ms.
 *
 * @limit {s} for the XMPP server to close the stream
 * @over the connection is cut
 */
const GOODBYE_MS = 1_000;

/** Who gets what comes. */
export interface ComponentOwner {
  /** A stanza; `cut` where it was too much: then its tag is there, and not all of its content. */
  received(element: LibraryElement, cut: TooMuch | undefined): void;
}

/** What a component is made of. */
export interface ComponentDeps {
  readonly clock: Clock;
  readonly faults: Containment;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** One component. Connects again until it is stopped. */
export class Component implements StanzaOutlet {
  readonly #place: ComponentPlace;
  readonly #secret: string;
  readonly #library: ComponentLibrary;
  readonly #owner: ComponentOwner;
  readonly #deps: ComponentDeps;
  /** Of the present attempt or connection. */
  #entity: LibraryEntity | undefined;
  /** When the server took the component, by the monotonic clock; undefined while it has not. */
  #since: number | undefined;
  #timer: Timer | undefined;
  #pause = FIRST_PAUSE_MS;
  /** Why the last connection was not made, or ended; logged once. */
  #why = '';
  #cut: TooMuch | undefined;
  #outbox: string[] = [];
  #outboxBytes = 0;
  #isFlushing = false;
  #isStopped = false;

  constructor(
    place: ComponentPlace,
    secret: string,
    library: ComponentLibrary,
    owner: ComponentOwner,
    deps: ComponentDeps,
  ) {
    this.#place = place;
    this.#secret = secret;
    this.#library = library;
    this.#owner = owner;
    this.#deps = deps;
  }

  get domain(): string {
    return this.#place.domain;
  }

  /** Whether the server has taken it. */
  get isOnline(): boolean {
    return this.#since !== undefined;
  }

  get waiting(): number {
    return this.#outboxBytes + (this.#entity?.socket?.writableLength ?? 0);
  }

  /** What the socket has taken counts too: a server that reads nothing makes it grow. */
  get hasRoom(): boolean {
    return this.waiting + MAX_STANZA_BYTES <= OUTBOX_MAX;
  }

  send(xml: string): boolean {
    if (this.#isStopped || !this.hasRoom) return false;
    this.#outbox.push(xml);
    this.#outboxBytes += xml.length;
    if (this.isOnline) this.#flushSoon();
    return true;
  }

  /** Begins to connect; does not wait for the server. */
  start(): void {
    this.#connect();
  }

  /** Sends what waits if the server is there, says goodbye, and closes the connection. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const { clock } = this.#deps;
    clock.clear(this.#timer);
    const entity = this.#entity;
    if (entity === undefined) return;
    if (this.isOnline) {
      this.#flush();
      await Promise.race([entity.stop().catch(() => {}), new Promise<void>((done) => clock.after(GOODBYE_MS, done))]);
    }
    this.#drop(entity);
  }

  #connect(): void {
    const { host, port, domain } = this.#place;
    const { clock, faults } = this.#deps;
    const service = `xmpp://${host.includes(':') ? `[${host}]` : host}:${port}`;
    const entity = this.#library.component({ service, domain, password: this.#secret });
    this.#entity = entity;
    // It would begin too soon each time, and know nothing of the others.
    entity.reconnect.stop();
    // Its own answers to queries: the origin gives them.
    entity.removeAllListeners('element');
    entity.Parser = boundedParser(entity.Parser, (why) => {
      this.#cut = why;
    });
    entity.on('error', (error) => this.#failed(entity, reasonOf(error)));
    entity.on('disconnect', () => this.#failed(entity, 'the connection was closed'));
    entity.on('connect', () => prepare(entity));
    entity.on('online', () => this.#online(entity));
    entity.on('stanza', (element) => faults.run('client', () => this.#received(entity, element)));
    this.#timer = clock.after(TAKEN_MS, () => this.#failed(entity, `it did not answer within ${TAKEN_MS / 1_000} s`));
    const begun = entity.connect(service).then(() => entity.open({ domain }));
    begun.catch((error: Error) => this.#failed(entity, reasonOf(error)));
  }

  #online(entity: LibraryEntity): void {
    if (entity !== this.#entity) return;
    const { clock, log } = this.#deps;
    clock.clear(this.#timer);
    this.#since = clock.monotonic();
    this.#why = '';
    log.info({ domain: this.domain }, `XMPP: the server has taken the component ${this.domain}`);
    this.#flushSoon();
  }

  /** The attempt has failed, or the connection has ended: the first to say so counts. */
  #failed(entity: LibraryEntity, why: string): void {
    if (entity !== this.#entity || this.#isStopped) return;
    const { clock, random, log } = this.#deps;
    clock.clear(this.#timer);
    if (this.#since !== undefined && clock.monotonic() - this.#since >= STEADY_MS) this.#pause = FIRST_PAUSE_MS;
    this.#drop(entity);
    const pause = Math.round(this.#pause * (1 + random() / 4));
    this.#pause = Math.min(2 * this.#pause, LAST_PAUSE_MS);
    const { host, port, domain } = this.#place;
    const text = `XMPP: no connection for the component ${domain}: ${why}; the next attempt is in ${pause} ms`;
    if (why === this.#why) log.debug({ host, port, pause }, text);
    else log.warn({ host, port, pause }, text);
    this.#why = why;
    this.#timer = clock.after(pause, () => this.#connect());
  }

  /** Nothing more is heard of a connection; an error of its end is no error. */
  #drop(entity: LibraryEntity): void {
    this.#entity = undefined;
    this.#since = undefined;
    this.#cut = undefined;
    const { socket } = entity;
    entity.removeAllListeners();
    entity.on('error', () => {});
    socket?.destroy();
  }

  #received(entity: LibraryEntity, element: LibraryElement): void {
    if (entity !== this.#entity) return;
    const cut = this.#cut;
    this.#cut = undefined;
    this.#owner.received(element, cut);
  }

  /** What is sent in one turn of the event loop is one write. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.isOnline || this.#outbox.length === 0) return;
    const text = this.#outbox.join('');
    this.#outbox = [];
    this.#outboxBytes = 0;
    // What a connection takes with it that breaks is lost, as the items are that come while it is away for long.
    this.#entity?.write(text).catch(() => {});
  }
}

/** Bytes of a character may come in two reads: the library would take them apart. */
function prepare({ socket }: LibraryEntity): void {
  socket?.setEncoding('utf8');
  socket?.setKeepAlive(true, PROBE_MS);
  socket?.setNoDelay(true);
}

/** What a server says has a condition, and perhaps a text; what the system says, a message. */
function reasonOf({
  condition,
  text,
  message,
}: Error & { readonly condition?: string; readonly text?: string }): string {
  const said = condition === undefined ? message : text ? `${condition} (${text})` : condition;
  const advice = ADVICE[condition ?? ''];
  return advice === undefined ? said : `${said}: ${advice}`;
}

const ADVICE: Readonly<Record<string, string>> = {
  conflict: 'another node has the component, or another program; this one waits',
  'host-unknown': 'has the server this component?',
  'not-authorized': 'is xmpp_secret that of the server?',
};
