/** Sending one item to a destination: by a request to the control API, or a message to a ZeroMQ socket. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pushPacket } from '@holdfast/control-api';
import { encodeTnetstring, readJson } from '@holdfast/grip';
import { PublishError } from '../../errors.js';
import type { Destination } from './destination.js';

/**
 * Milliseconds for the control API to answer.
 *
 * @limit {s} for `holdfast publish` to get its answer
 * @over it fails
 */
const ANSWER_TIMEOUT_MS = 30_000;

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Not fetch, which follows redirects as a GET, and refuses ports that browsers must not use. */
function request(url: URL, headers: Readonly<Record<string, string>>, body: string): Promise<Answer> {
  const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const outgoing = open(
      url,
      { method: 'POST', headers, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8').trim() });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function post(url: URL, authorization: string | undefined, item: object): Promise<void> {
  const body = JSON.stringify({ items: [item] });
  const headers = {
    'Content-Type': 'application/json',
    // In JSON a refusal says more; what is no node of ours may have text only.
    Accept: 'application/json, text/plain;q=0.9, */*;q=0.1',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    ...(authorization !== undefined && { Authorization: authorization }),
  };
  const { status, text } = await request(url, headers, body).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.name === 'AbortError' ? 'no answer in time' : (cause.code ?? cause.message);
    throw new PublishError('ERR_PUBLISH_UNREACHABLE', `cannot publish to ${url}: ${reason}`, { cause });
  });
  if (status < 200 || status > 299)
    throw new PublishError('ERR_PUBLISH_REFUSED', saidIn(text) || `${url} answered ${status}`);
}

/** What an answer says, in one line: JSON of the control API with its detail, or text as it is. */
function saidIn(text: string): string {
  const { message, detail } = (readJson(text).value ?? {}) as { message?: unknown; detail?: unknown };
  if (typeof message !== 'string') return text;
  return typeof detail === 'string' ? `${message} ${detail}` : message;
}

/**
 * Sends an item that was built for this kind of destination. Resolves once the control API has answered that it is
 * published; of ZeroMQ, once it is on its way.
 * @throws PublishError, or the `ControlError` of the ZeroMQ socket
 */
export function sendItem(destination: Destination, item: object): Promise<void> {
  if (destination.kind === 'http') return post(destination.url, destination.authorization, item);
  return pushPacket(destination.spec, encodeTnetstring(item));
}
