/** An origin that reads whole requests and answers with exactly the bytes that the test gives. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { Test } from 'tap';

/** One request as an origin has received it. */
export interface RawRequest {
  /** Request line and header lines, without the empty one. */
  readonly lines: readonly string[];
  /** Body as far as a declared length goes; chunked bodies with their framing. */
  readonly body: string;
  readonly socket: Socket;
  /** Which connection it came on, counted from 1. */
  readonly connection: number;
}

type Answer = (request: RawRequest) => void;

/** A server of raw bytes on a port of its own, closed at the end of the test. */
export class RawOrigin {
  readonly port: number;
  /** Requests in the order of their coming. */
  readonly requests: RawRequest[];
  /** Connections that are open. */
  readonly sockets: Set<Socket>;

  private constructor(port: number, requests: RawRequest[], sockets: Set<Socket>) {
    this.port = port;
    this.requests = requests;
    this.sockets = sockets;
  }

  /** `answer` is called for each request that is whole. With `tls` the server speaks TLS. */
  static async open(t: Test, answer: Answer, tls?: TlsOptions): Promise<RawOrigin> {
    const requests: RawRequest[] = [];
    const sockets = new Set<Socket>();
    let connections = 0;
    const take = (socket: Socket) => {
      const connection = ++connections;
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket)).on('error', () => {});
      let received = '';
      socket.on('data', (bytes) => {
        received += bytes.toString('latin1');
        for (let request = readRequest(received); request !== undefined; request = readRequest(received)) {
          received = received.slice(request.size);
          const { lines, body } = request;
          requests.push({ lines, body, socket, connection });
          answer({ lines, body, socket, connection });
        }
      });
    };
    const server = tls === undefined ? createServer(take) : createTlsServer(tls, take).on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return new RawOrigin((server.address() as AddressInfo).port, requests, sockets);
  }
}

function readRequest(text: string): { lines: string[]; body: string; size: number } | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const lines = text.slice(0, end).split('\r\n');
  const start = end + 4;
  const length = lines.map((line) => /^content-length: *(\d+)$/i.exec(line)?.[1]).find(Boolean);
  const last = lines.some((line) => /^transfer-encoding: *chunked$/i.test(line))
    ? text.indexOf('0\r\n\r\n', start)
    : -1;
  const size = last < 0 ? start + Number(length ?? 0) : last + 5;
  const chunked = lines.some((line) => /^transfer-encoding:/i.test(line));
  if (text.length < size || (chunked && last < 0)) return undefined;
  return { lines, body: text.slice(start, size), size };
}

/** Bytes of an answer with Content-Length. */
export function answerBytes(body: string, fields: readonly string[] = []): string {
  return `${['HTTP/1.1 200 OK', `Content-Length: ${body.length}`, ...fields].join('\r\n')}\r\n\r\n${body}`;
}
