/** The part of `@xmpp/client` that the tests use. */
declare module '@xmpp/client' {
  export interface Element {
    readonly name: string;
    readonly attrs: Readonly<Record<string, string | undefined>>;
    getChildText(name: string): string | null;
    toString(): string;
  }

  export interface Client {
    readonly reconnect: { stop(): void };
    readonly iqCaller: { request(element: Element): Promise<Element> };
    on(event: 'stanza', run: (element: Element) => void): this;
    on(event: 'error', run: (error: Error) => void): this;
    start(): Promise<{ toString(): string }>;
    stop(): Promise<unknown>;
    send(element: Element): Promise<void>;
    write(text: string): Promise<void>;
  }

  /** Called when the server has told its mechanisms: logs in with one of them. */
  export type Credentials = (
    authenticate: (credentials: Readonly<Record<string, string>>, mechanism: string) => Promise<void>,
  ) => Promise<void>;

  export function client(options: Readonly<Record<string, string | Credentials>>): Client;

  export function xml(
    name: string,
    attributes?: string | Readonly<Record<string, string>>,
    ...children: (Element | string)[]
  ): Element;
}
