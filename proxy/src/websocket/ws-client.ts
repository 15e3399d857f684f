/** A WebSocket client that mostly listens, for `holdfast load`, which has many. Sockets to origins are ws-handshakes.ts. */
import type { IncomingMessage } from 'node:http';
import { LibrarySocket, optionsOf } from './ws-library.js';

/** How to connect. */
export interface MessageClientOptions {
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly localAddress?: string;
  readonly localPort?: number;
  /** For the handshake, in ms. */
  readonly timeout: number;
  /** Longest message, in bytes; a longer one closes the socket. */
  readonly maxMessage: number;
}

/** What happens to a client. One of `refused`, `closed` and `failed` is the last, but for one that was ended from this side. */
export interface MessageClientListener {
  /** `say` sends a text message. */
  open(say: (text: string) => void): void;
  message(data: Buffer): void;
  /** The answer is no handshake; its body is dropped. */
  refused(response: IncomingMessage): void;
  closed(code: number): void;
  /** It could not connect, the connection broke, or the server broke the protocol. */
  failed(error: Error): void;
}

/** The value of a field, whatever its case; those that the library has an argument for must not be among its headers. */
function splitProtocols(headers: MessageClientOptions['headers']) {
  const entries = Object.entries(headers);
  const isProtocol = ([name]: readonly [string, unknown]) => name.toLowerCase() === 'sec-websocket-protocol';
  const protocols = entries.filter(isProtocol).flatMap(([, value]) => String(value).split(/ *, */));
  return { protocols, headers: Object.fromEntries(entries.filter((entry) => !isProtocol(entry))) };
}

/** Connects to an `http:` or `https:` URL. Returns how to leave: with a Close, or at once where nothing is open yet. */
export function openMessageClient(
  url: URL,
  options: MessageClientOptions,
  listener: MessageClientListener,
): () => void {
  const { protocols, headers } = splitProtocols(options.headers);
  let fault: Error | undefined;
  let isOver = false;
  const over = (say: () => void) => {
    if (!isOver) say();
    isOver = true;
  };
  const ended = (code: number) => over(() => (fault === undefined ? listener.closed(code) : listener.failed(fault)));
  const socket = new LibrarySocket(url, protocols, {
    ...optionsOf({ websocketMessageMax: options.maxMessage, allowCompression: false }),
    handshakeTimeout: options.timeout,
    headers,
    ...(options.localAddress !== undefined && { localAddress: options.localAddress }),
    ...(options.localPort !== undefined && { localPort: options.localPort }),
  });
  socket.on('unexpected-response', (request, response) => {
    over(() => listener.refused(response));
    request.destroy();
  });
  socket.on('error', (error) => {
    fault = error;
  });
  socket.on('close', ended);
  socket.on('open', () => {
    socket.setListener({
      onEvent(event) {
        if (event[0] === 'message') listener.message(event[1]);
        else if (event[0] === 'ping') socket.pong(event[1]);
        else if (event[0] === 'error') fault = event[1];
        else if (event[0] === 'close') ended(event[1]);
      },
      onClosing: () => false,
      onBreach: () => false,
    });
    listener.open((text) => socket.send(text));
  });
  return () => {
    isOver = true;
    if (socket.readyState === socket.OPEN) socket.finish(1001);
    else socket.terminate();
  };
}
