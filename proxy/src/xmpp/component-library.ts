/** Loads `@xmpp/component`, which need not be installed, and declares the part of it that is used. The only importer. */
import { ConfigError } from '../errors.js';

/** An element that the library has parsed. */
export interface LibraryElement {
  readonly name: string;
  readonly attrs: Readonly<Record<string, string | undefined>>;
  /** With everything in it. */
  toString(): string;
}

/** Makes elements of what comes; made anew for each stream. Its events go to the entity. */
export interface LibraryParser {
  write(text: string): void;
  onStartElement(name: string, attributes: Record<string, string>): void;
  onEndElement(name: string): void;
  onText(text: string): void;
  emit(event: 'error', error: Error): boolean;
}

export type LibraryParserClass = new () => LibraryParser;

/** The socket to the server: node's own. */
export interface LibrarySocket {
  readonly writableLength: number;
  setEncoding(encoding: 'utf8'): unknown;
  setKeepAlive(on: boolean, ms: number): unknown;
  setNoDelay(on: boolean): unknown;
  destroy(): unknown;
}

/** A connection to a server, from its start to its end. */
export interface LibraryEntity {
  readonly status: string;
  readonly socket: LibrarySocket | null;
  Parser: LibraryParserClass;
  readonly reconnect: { stop(): void };
  /** Connects to `xmpp://host:port`. Its `start` does all at once, and leaves a promise behind that rejects to nobody. */
  connect(service: string): Promise<unknown>;
  /** Opens the stream; `online` follows when the server has taken the component. */
  open(options: { readonly domain: string }): Promise<unknown>;
  /** Closes the stream and the connection. */
  stop(): Promise<unknown>;
  /** Writes text; rejects while the stream is being closed, and when the connection has gone. */
  write(text: string): Promise<unknown>;
  on(event: 'stanza', run: (element: LibraryElement) => void): this;
  on(event: 'error', run: (error: Error & { readonly condition?: string; readonly text?: string }) => void): this;
  on(event: 'online' | 'connect' | 'disconnect', run: () => void): this;
  removeAllListeners(event?: string): this;
}

/** What an entity is made of. */
export interface LibraryOptions {
  /** `xmpp://host:port`. */
  readonly service: string;
  readonly domain: string;
  readonly password: string;
}

/** The module. */
export interface ComponentLibrary {
  component(options: LibraryOptions): LibraryEntity;
}

const PACKAGE = '@xmpp/component';

/** Loads the library. Rejects with a ConfigError that says what to install. `load` is replaced in tests. */
export async function loadComponentLibrary(
  load: () => Promise<unknown> = () => import('@xmpp/component'),
): Promise<ComponentLibrary> {
  try {
    return (await load()) as ComponentLibrary;
  } catch (cause) {
    const isAbsent = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const why = isAbsent ? 'is not installed' : `cannot be loaded (${(cause as Error).message})`;
    const message = `xmpp_component: the package ${PACKAGE} ${why}: run \`npm install ${PACKAGE}\` beside holdfast, or leave xmpp_component out`;
    throw new ConfigError([{ code: 'ERR_CONFIG_CONFLICT', message, key: 'xmpp_component' }], { cause });
  }
}
