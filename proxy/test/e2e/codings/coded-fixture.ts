/** Answers in a coding, and what clients get of the fields that go with it. */
import { readFileSync } from 'node:fs';
import { get as httpGet, type IncomingMessage } from 'node:http';
import * as zlib from 'node:zlib';
import type { Holdfast } from '../../kit/holdfast.js';
import type { ScriptedAnswer } from '../../kit/origins/scripted-origin.js';

/** What browsers take. */
export const BROWSER = 'gzip, deflate, br, zstd';

/** All fields that speak of one body. */
export const OF_BODY = {
  ETag: '"origin"',
  'Last-Modified': 'Tue, 01 Jan 2030 00:00:00 GMT',
  'Accept-Ranges': 'bytes',
  'Content-MD5': 'b3JpZ2lu',
  Digest: 'sha-256=b3JpZ2lu',
  'Content-Digest': 'sha-256=:b3JpZ2lu:',
  'Repr-Digest': 'sha-256=:b3JpZ2lu:',
  'Content-Location': '/origin',
} as const;
/** Their names, in lower case. */
export const NAMES = [...Object.keys(OF_BODY), 'Content-Encoding', 'Content-Range'].map((name) => name.toLowerCase());

/** Not as small as can be: that takes long. */
const brotli = (body: Buffer) =>
  zlib.brotliCompressSync(body, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } });

/** How each coding is made that every version of Node.js, or this one, can read. */
export const CODERS: Record<string, (text: string) => Buffer> = {
  gzip: (text) => zlib.gzipSync(text),
  deflate: (text) => zlib.deflateSync(text),
  br: (text) => brotli(Buffer.from(text)),
  'gzip, br': (text) => brotli(zlib.gzipSync(text)),
};
const { zstdCompressSync } = zlib as unknown as { zstdCompressSync?: (text: string) => Buffer };
if (zstdCompressSync !== undefined) CODERS.zstd = zstdCompressSync;

/** An answer of the origin in a coding, with all fields that speak of its body. */
export function coded(coding: string, headers: ScriptedAnswer['headers'], text: string): ScriptedAnswer {
  return { headers: { ...OF_BODY, 'Content-Encoding': coding, ...headers }, body: CODERS[coding]?.(text) as Buffer };
}

/** Those of the fields that speak of one body. */
export const ofBody = (headers: IncomingMessage['headers']) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => NAMES.includes(name)));

/** An answer byte for byte, which `fetch` would decode. */
export const bytesOf = (url: string, headers: Record<string, string>) =>
  new Promise<{ head: IncomingMessage; body: Buffer }>((resolve, reject) => {
    const request = httpGet(url, { headers, agent: false }, async (head) => {
      const chunks: Buffer[] = [];
      for await (const chunk of head) chunks.push(chunk as Buffer);
      resolve({ head, body: Buffer.concat(chunks) });
    });
    request.on('error', reject);
  });

/** Resident memory of a node, in bytes. */
export function memory({ child }: Holdfast): number {
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1]) * 1_024;
}
