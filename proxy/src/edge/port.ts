/**
 * The port between clients and the proxy: what a client's request and response look like to everything else, in a shape that both
 * node:http and uWebSockets.js can keep.
 */
import type { Containment, Faulty, Span } from '@holdfast/control-api';
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import type { ProxyProtocolRule } from '../config/types/listen.js';
import type { Clock } from '../runtime/clock.js';
import type { Descriptors } from '../runtime/descriptors.js';
import type { MessageSocket } from '../websocket/message-socket.js';

/** The address of a client on TCP that was gone before its address could be read. */
export const UNKNOWN_ADDRESS = 'unknown';

/** Where an edge listens. Exactly one of `port` and `path` is given. */
export interface Listener {
  /** Address to bind, e.g. `127.0.0.1`, `0.0.0.0`, `::`. */
  readonly host?: string;
  readonly port?: number;
  readonly tls?: boolean;
  /** Unix socket. */
  readonly path?: string;
  /** Permissions of the unix socket. */
  readonly mode?: number;
  readonly user?: string;
  readonly group?: string;
  /** Left out: connections are the clients' own. */
  readonly proxyProtocol?: ProxyProtocolRule;
}

/** A listener that is bound. `port` is the real one where 0 was asked for. */
export interface BoundListener extends Listener {
  readonly url: string;
}

/**
 * Takes connections from clients. Called by the composition root only.
 *
 * Requests of one connection are given to the handler one after the other, each when the answer to the one before is
 * complete, so that pipelined requests take effect in order (RFC 9112 §9.3.2).
 */
export interface Edge {
  /** Binds one more listener; rejects with an `EdgeError` that names address and cause. */
  listen(listener: Listener): Promise<BoundListener>;
  /**
   * From here on each answer is the last of its connection, as its head says if that is still to go out, or with false is not any more;
   * connections are accepted.
   */
  closeAfterAnswers(closes: boolean): void;
  /** Closes the listeners: nobody can connect any more. Open connections go on as before. */
  stopListening(): void;
  /** Stops accepting; open connections go on, and close when their current answer is complete. */
  stopAccepting(): void;
  /** Stops accepting and cuts every connection. */
  close(): Promise<void>;
  /** Connections open now. */
  readonly connections: number;
}

/** Reports of clients that an edge has turned away by itself. */
export interface EdgeEvents {
  /** A client has connected, if only to be turned away. Left out: it is not counted. */
  connectionOpened?(): void;
  /** The connection is closed. */
  connectionClosed?(): void;
  /** A connection was turned away because `clientMaxconn` were open. */
  connectionRefused(): void;
  /** A connection was turned away because too few file descriptors are left. */
  descriptorsShort(): void;
  /**
   * A request was answered by the edge itself because it was malformed; `reason` is the parser's code or the text sent, `client`
   * its address.
   */
  requestRefused(reason: string, status: number, client: string): void;
  /** A connection was closed for want of a PROXY protocol header that could be taken; `peer` is its other end's address. */
  proxyRefused(why: string, peer: string): void;
  /** A connection was cut because its client took nothing of an answer for `writeTimeout`. */
  writeTimedOut(client: string): void;
}

/** Decides which connections an edge keeps, by the textual address of their clients, which is empty on a unix socket. */
export interface ConnectionGate {
  /** Whether the address may open another connection now; asked once for each. */
  mayConnect(address: string): boolean;
  /** Counts a connection, or returns false where the address has as many as it may; then it is closed. */
  enter(address: string): boolean;
  /** A connection that has entered is closed. */
  leave(address: string): void;
}

/** The collaborators of every edge. */
export interface EdgeDeps {
  readonly clock: Clock;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
  readonly events: EdgeEvents;
  readonly descriptors: Descriptors;
  /** Left out: no address is limited. */
  readonly gate?: ConnectionGate | undefined;
  /** A new id for each request, unique within this node, whichever edge it comes from. */
  readonly nextId: () => string;
}

/** What an edge hands requests to. */
export interface EdgeHandler {
  /**
   * Called once per request, when its head is complete. The handler must answer: by `writeHead` … `end`, or by
   * `abort`. What it throws is caught: the client gets a 500.
   */
  onRequest(request: ClientRequest, response: ClientResponse): void;
  /** The same for a valid WebSocket handshake (RFC 6455 §4.2.1); invalid ones the edge has refused. */
  onWebSocket(request: ClientRequest, handshake: ClientHandshake): void;
}

/** A client that waits for the answer to its WebSocket handshake. What it sends before is kept for the socket. */
export interface ClientHandshake {
  /** For refusing: an ordinary answer, after which the connection is closed. Its handler learns that the client has gone. */
  readonly response: ClientResponse;
  /**
   * Accepts: writes the 101 with these fields, of which the handshake's own, and those of the hop, are left out
   * (Upgrade, Connection, Sec-WebSocket-Accept, Sec-WebSocket-Extensions: extensions to the client are the edge's
   * business). `extensions` are sent as they are, for a client that is a GRIP proxy. Undefined when the client has gone.
   * Throws as `writeHead` does; then `response` may still answer.
   */
  accept(headers: RawHeaders, extensions?: string): MessageSocket | undefined;
}

/** What names a request beyond this node: to its origin, its client, and in the logs of all of them. */
export interface RequestMarks {
  /** Where `request_id_header` asks for one. Text of a trusted proxy, in safe characters; not unique as `ClientRequest.id` is. */
  readonly requestId?: string | undefined;
  /** Its span, where traces are followed: what is done for it continues the trace. */
  readonly trace?: Span | undefined;
}

/** One client request: plain copied values, usable for as long as anybody keeps it; the library's own object is not. */
export interface ClientRequest extends RequestMarks {
  /** Unique within this node; the name of this request in logs, errors and metrics of slow clients. */
  readonly id: string;
  /** As sent; a token (RFC 9110 §5.6.2). */
  readonly method: string;
  /** Path and query as sent, always beginning with `/`; of an absolute-form target only this part is kept. */
  readonly path: string;
  /** The Host field as sent, or the authority of an absolute-form target, which goes before it (RFC 9112 §3.2.2). */
  readonly host: string;
  /** HTTP version: `1.0` or `1.1`; an edge for another one adds its own. */
  readonly version: string;
  readonly headers: RawHeaders;
  /** Whether this hop is TLS. */
  readonly secure: boolean;
  /**
   * Textual IP address of the client: of its end of the connection, empty on a unix socket; behind trusted proxies the one that
   * they name. `unknown` on TCP where the client was gone before it could be asked for: it must not pass for a unix socket, which
   * may be trusted and is not limited.
   */
  readonly clientAddress: string;
  /** The certificate that the client has shown and that counts, DER in base64; only where clients are asked for one. */
  readonly clientCertificate?: string | undefined;
  /** The trusted proxies between the client and this connection, the nearest last; left out where there are none. */
  readonly hops?: readonly string[] | undefined;
  /** The id after which its client wants an event stream to go on, where it has said so in its query: `path` has it no more. */
  readonly lastEventId?: string | undefined;
  /** Undefined when the request has no body. */
  readonly body: ClientBody | undefined;
  /** The client takes trailers, and the edge can write and read them; left out: no. */
  readonly takesTrailers?: boolean;
}

/** A request body that is still on its way. Nothing of it is read from the client before `read`. */
export interface ClientBody {
  /** Declared length in bytes; undefined when the client sends chunks. */
  readonly length: number | undefined;
  /** Starts the flow; called once. A client that waits for `100 Continue` gets it now. */
  read(sink: BodySink): void;
  /** Stops the flow: the client is held back by TCP once the buffers between are full. */
  pause(): void;
  resume(): void;
}

/** Receives a request body in order: `onData`* then exactly one of `onEnd` and `onAbort`. */
export interface BodySink {
  onData(chunk: Buffer): void;
  /** `trailers` are as sent; left out where there are none, or the edge cannot read them. */
  onEnd(trailers?: RawHeaders): void;
  /** The client went away, or sent something malformed, in the middle of the body. */
  onAbort(): void;
}

/**
 * Handles the events of a client response, for the part that answers at the moment. One without `fault` sees a client that has
 * gone when something it does throws.
 */
export interface ResponseHandler extends Faulty {
  /** The client has taken what was written; called after a write that returned false. */
  onWritable(): void;
  /**
   * The connection is gone before the answer was complete. Called at most once, and never after `end` or `abort`.
   * Writes after it do nothing.
   */
  onGone(): void;
}

/**
 * The answer to one request. Order of calls: any number of `writeInformation`, then `writeHead` once, then
 * `write`/`push`, then `end`; or `abort` at any time. Calls after the client has gone are ignored.
 */
export interface ClientResponse {
  /** Sets the handler of events from now on. If the client has already gone, `onGone` follows soon. */
  setHandler(handler: ResponseHandler): void;
  /**
   * Starts the answer. Fields of the hop and of the framing are left out of `headers` (`client-headers`): both are the
   * edge's business. `length` is the exact body length in bytes; `undefined` means unknown (chunked, or until
   * close for HTTP/1.0). For HEAD and 304 a length is declared without a body following. The head may be kept back
   * until the first body byte unless `flush` is set. Throws only on a head that cannot be put on the wire
   * (`checkedHeaders`), with nothing written: another head may follow.
   */
  writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void;
  /** Sends an interim answer (RFC 9110 §15.2), to HTTP/1.1 clients only. Throws as `writeHead` does. */
  writeInformation(head: ResponseHead): void;
  /** Sends body bytes; false when the client cannot take more now: wait for `onWritable`. */
  write(chunk: Buffer): boolean;
  /**
   * Completes the answer. `trailers` go behind a chunked body to a client that takes them, those that may
   * (`passableTrailers`); other clients do not see them.
   */
  end(chunk?: Buffer, trailers?: RawHeaders): void;
  /**
   * Breaks the answer off so that the client sees that it is incomplete. What was written before still goes out,
   * unless `discard` is set: then the connection is cut at once and its buffers are freed.
   */
  abort(discard?: boolean): void;
  /**
   * Writes a piece into a held stream, after everything written before. Pieces pushed in one turn of the event loop
   * leave in one write. Bytes that the client does not take wait: compare `waiting` with your limit first.
   */
  push(piece: StreamPiece): void;
  /**
   * The answer is held: neither more of it nor anything from the client is expected for long. Releases what an idle connection
   * does not need; absent where an edge has nothing to release. Everything may be called afterwards as before.
   */
  goIdle?(): void;
  /**
   * The connection is to end with this answer, as its head says if that is still to go out. `rest` is what is not wanted of the
   * request's body: with `none` it has been read, with `bounded` the rest has a known length, and an edge that would lose the answer
   * by closing may drop it instead. Called before `writeHead`, with `none` also before `end`.
   */
  closeAfter?(rest: 'none' | 'bounded' | 'unbounded'): void;
  /** The body of the answer is read here: it must come in no content coding. */
  readonly readsBody?: boolean;
  /** Bytes written or pushed that the client's connection has not taken yet. */
  readonly waiting: number;
  /** Body bytes given to this response so far. */
  readonly bodyBytes: number;
}

/** Puts payload bytes into an edge's framing. One function for all clients of an edge: its identity says what was made. */
export type Framing = (payload: Buffer) => Buffer;

/** A piece as a part of a gzip stream, and what that stream's end has to know of it. */
export interface GzipPiece {
  /** What is written. */
  readonly piece: StreamPiece;
  /** Checksum of the plain bytes. */
  readonly crc: number;
  /** What a checksum is multiplied by when these bytes follow. */
  readonly shift: number;
  /** Plain bytes. */
  readonly length: number;
}

/**
 * Body bytes on their way to any number of clients. What an edge needs around them is built the first time one of its clients
 * needs it, and shared by all later ones, so that fan-out allocates nothing per client.
 */
export class StreamPiece {
  /** The bytes without any framing: for an HTTP/1.0 client, and for an edge whose library frames. */
  readonly payload: Buffer;
  #framing: Framing | undefined;
  #framed: Buffer | undefined;
  #gzip: GzipPiece | undefined;

  /** `payload` must not be changed afterwards. It may be empty: such a piece writes nothing. */
  constructor(payload: Buffer) {
    this.payload = payload;
  }

  /** The payload in a framing, of which the last one asked for is kept. */
  framed(framing: Framing): Buffer {
    if (this.#framed === undefined || this.#framing !== framing) {
      this.#framing = framing;
      this.#framed = framing(this.payload);
    }
    return this.#framed;
  }

  /** The payload compressed, by the first client that takes it so, for all of them. */
  gzipped(make: (payload: Buffer) => GzipPiece): GzipPiece {
    this.#gzip ??= make(this.payload);
    return this.#gzip;
  }
}

/** Decorates a `ClientResponse`: passes every call on; a subclass overrides those that it changes. */
export class ResponseWrapper implements ClientResponse {
  protected readonly inner: ClientResponse;

  constructor(inner: ClientResponse) {
    this.inner = inner;
  }

  setHandler(handler: ResponseHandler): void {
    this.inner.setHandler(handler);
  }

  writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void {
    this.inner.writeHead(head, length, flush);
  }

  writeInformation(head: ResponseHead): void {
    this.inner.writeInformation(head);
  }

  write(chunk: Buffer): boolean {
    return this.inner.write(chunk);
  }

  end(chunk?: Buffer, trailers?: RawHeaders): void {
    this.inner.end(chunk, trailers);
  }

  abort(discard?: boolean): void {
    this.inner.abort(discard);
  }

  push(piece: StreamPiece): void {
    this.inner.push(piece);
  }

  goIdle(): void {
    this.inner.goIdle?.();
  }

  closeAfter(rest: 'none' | 'bounded' | 'unbounded'): void {
    this.inner.closeAfter?.(rest);
  }

  get waiting(): number {
    return this.inner.waiting;
  }

  get bodyBytes(): number {
    return this.inner.bodyBytes;
  }
}
