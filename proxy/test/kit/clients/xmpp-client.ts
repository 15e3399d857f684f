/** An XMPP client of the library `@xmpp/client`, which notes all stanzas that it gets. */
import { type Credentials, client, xml } from '@xmpp/client';
import type { Test } from 'tap';
import { type Prosody, SECRET } from '../prosody.js';
import { until } from '../until.js';

export { xml };

/** An element as the library has it. */
export type XmppElement = ReturnType<typeof xml>;

/** A client that is online. */
export class XmppClient {
  readonly #entity: ReturnType<typeof client>;
  /** Its own address, with the resource. */
  readonly jid: string;
  /** In the order of their coming, as XML. */
  readonly stanzas: XmppElement[] = [];
  #taken = 0;

  constructor(entity: ReturnType<typeof client>, jid: string) {
    this.#entity = entity;
    this.jid = jid;
    entity.on('stanza', (stanza: XmppElement) => this.stanzas.push(stanza));
  }

  async send(element: XmppElement): Promise<void> {
    await this.#entity.send(element);
  }

  /** Sends a chat message. */
  async say(to: string, text: string, id?: string): Promise<void> {
    await this.send(xml('message', { to, type: 'chat', ...(id !== undefined && { id }) }, xml('body', {}, text)));
  }

  /** Sends text as it is, well-formed or not. */
  async write(text: string): Promise<void> {
    await this.#entity.write(text);
  }

  /** Asks, and waits for the answer; the library throws for an answer that is an error. */
  async query(element: XmppElement): Promise<XmppElement> {
    return this.#entity.iqCaller.request(element);
  }

  /** The next stanza that has not been asked for yet. */
  async next(): Promise<XmppElement> {
    const at = this.#taken++;
    return until(
      `stanza ${at + 1} for ${this.jid}`,
      () => this.stanzas[at],
      () => this.stanzas.join('\n'),
    );
  }

  /** The text of the next message. */
  async text(): Promise<string> {
    const stanza = await this.next();
    return stanza.getChildText('body') ?? stanza.toString();
  }

  /** Says goodbye to the server. */
  async stop(): Promise<void> {
    await this.#entity.stop();
  }
}

/** Connects a client that ends with the test. Without presence: the server sends it what is addressed to it. */
export async function openXmpp(
  t: Test,
  { clientPort }: Prosody,
  name: 'alice' | 'bob',
  resource = 'phone',
): Promise<XmppClient> {
  const service = `xmpp://127.0.0.1:${clientPort}`;
  // The library would choose SCRAM, whose ten thousand rounds of a hash take it half a second of CPU time at each login.
  const credentials: Credentials = (authenticate) => authenticate({ username: name, password: SECRET }, 'PLAIN');
  const entity = client({ service, domain: 'localhost', resource, credentials });
  entity.reconnect.stop();
  entity.on('error', () => {});
  t.teardown(() => entity.stop().catch(() => {}));
  const jid = await entity.start();
  return new XmppClient(entity, jid.toString());
}
