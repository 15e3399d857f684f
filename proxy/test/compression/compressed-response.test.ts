/** Single answers that are compressed: what a stream costs, and what becomes of an encoder when something goes wrong. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { uncontained } from '@holdfast/control-api';
import t from 'tap';
import { compressed } from '../../dist/compression/compressed-response.js';
import { Compression, MAX_ENCODERS } from '../../dist/compression/compression.js';
import { type ClientRequest, type ClientResponse, type ResponseHandler, StreamPiece } from '../../dist/edge/port.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const make = () =>
  new Compression(
    { compressMin: 512, compressTypes: ['Text/*'], compressCookies: false, compress: ['gzip'], compressStreams: true },
    uncontained,
  );

const requestOf = (headers: readonly string[], version: '1.0' | '1.1' = '1.1'): ClientRequest => ({
  id: 'a',
  method: 'GET',
  path: '/',
  host: 'a',
  version,
  headers,
  secure: false,
  clientAddress: '',
  body: undefined,
});
const request = requestOf(['Accept-Encoding', 'gzip']);
const head = { status: 200, reason: 'OK', headers: ['Content-Type', 'text/plain'] };
const events = { ...head, headers: ['Content-Type', 'text/event-stream'] };

/** An edge's response that notes what is done to it. */
class Noted implements ClientResponse {
  readonly acts: string[] = [];
  owner: ResponseHandler | undefined;
  readonly waiting = 0;
  readonly bodyBytes = 0;

  setHandler(handler: ResponseHandler): void {
    this.owner = handler;
  }

  writeHead(): void {
    this.acts.push('head');
  }

  writeInformation(): void {}

  write(): boolean {
    return true;
  }

  push(): void {}

  end(_chunk?: Buffer, trailers: readonly string[] = []): void {
    this.acts.push(['end', ...trailers].join(' '));
  }

  abort(): void {
    this.acts.push('abort');
  }
}

t.test('a compressed stream takes at most 1 KB more than a plain one', async (t) => {
  const compression = make();
  const piece = new StreamPiece(Buffer.alloc(2_000, 'an item '));
  const count = 20_000;
  const inner = new Noted();
  const owner = { onWritable: () => {}, onGone: () => {} };
  const open = () => {
    const response = compressed(request, inner, compression);
    response.setHandler(owner);
    response.writeHead(events, undefined, true);
    response.push(piece);
    return response;
  };
  open();
  const kept: ClientResponse[] = [];
  collect();
  const { heapUsed, external } = process.memoryUsage();
  for (let i = 0; i < count; i++) kept.push(open());
  inner.acts.length = 0;
  collect();
  const after = process.memoryUsage();
  const each = (after.heapUsed - heapUsed + after.external - external) / count;
  t.ok(each < 1_024, `${each} bytes`);
  t.equal(kept.at(-1)?.bodyBytes, 2_000);
});

t.test('a client that says nothing costs a stream nothing: its response is the edge’s own', async (t) => {
  const rules = { compressMin: 512, compressTypes: ['text/*'], compressCookies: false };
  const streams = new Compression({ ...rules, compress: [], compressStreams: true }, uncontained);
  const inner = new Noted();
  t.equal(compressed(requestOf([]), inner, streams), inner);
  t.equal(compressed(requestOf(['Accept-Encoding', 'gzip'], '1.0'), inner, streams), inner);
});

t.test(
  'an encoder is let go of by a fault, by a client that goes, by an answer that is broken off and by its end',
  async (t) => {
    const compression = make();
    const ends: Record<string, (response: ClientResponse, inner: Noted) => void> = {
      fault: (_response, inner) => inner.owner?.fault?.(new Error('a fault')),
      gone: (_response, inner) => inner.owner?.onGone(),
      abort: (response) => response.abort(),
      discard: (response) => response.abort(true),
      end: (response) => response.end(),
    };
    for (const [name, end] of Object.entries(ends)) {
      let gone = 0;
      const opened = Array.from({ length: MAX_ENCODERS }, () => {
        const inner = new Noted();
        const response = compressed(request, inner, compression);
        response.setHandler({ onWritable: () => {}, onGone: () => gone++ });
        response.writeHead(head, undefined);
        response.write(Buffer.from('begun'));
        return { response, inner };
      });
      await new Promise((resolve) => setImmediate(resolve));
      t.notOk(compression.enter(), `${name}: all are in use`);
      for (const { response, inner } of opened) end(response, inner);
      const isFree = () => {
        if (!compression.enter()) return false;
        compression.leave();
        return true;
      };
      for (let i = 0; i < 1_000 && !isFree(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
      t.ok(isFree(), name);
      t.equal(gone, name === 'fault' || name === 'gone' ? MAX_ENCODERS : 0, `${name}: owners are told, once`);
      for (let i = 0; i < 1_000 && !opened.every(({ inner }) => inner.acts.length === 2); i++) {
        if (name === 'fault' || name === 'gone') break;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const acts = { fault: ['head'], gone: ['head'], end: ['head', 'end'] }[name] ?? ['head', 'abort'];
      t.strictSame(opened[0]?.inner.acts, acts, name);
    }
  },
);

t.test('trailers follow a compressed body, though all of it is there with them', async (t) => {
  const inner = new Noted();
  const response = compressed(request, inner, make());
  response.writeHead(head, undefined);
  response.write(Buffer.alloc(2_000, 'text '));
  response.end(undefined, ['X-Sum', '1']);
  for (let i = 0; i < 1_000 && inner.acts.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  t.strictSame(inner.acts, ['head', 'end X-Sum 1']);
});
