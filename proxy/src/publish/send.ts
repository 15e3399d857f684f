/**
 * Sending one item to a destination.
 *
 * Owns: the request to the control API, or the message to a ZeroMQ socket. Does not own: the item.
 */
import { pushPacket } from '@holdfast/control-api';
import { encodeTnetstring } from '@holdfast/grip';
import type { Destination } from './destination.js';
import { PublishError } from './errors.js';

/** Milliseconds for the control API to answer. */
const ANSWER_TIMEOUT_MS = 30_000;

/** The reason behind a failed fetch: the library's own message says only that it failed. */
function reasonOf(error: Error): string {
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException;
  return code ?? message;
}

async function post(url: URL, authorization: string | undefined, item: object): Promise<void> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(authorization !== undefined && { Authorization: authorization }),
      },
      body: JSON.stringify({ items: [item] }),
      // Followed, a redirect would turn the POST into a GET and succeed without publishing.
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    text = (await response.text()).trim();
  } catch (cause) {
    const message = `cannot publish to ${url}: ${reasonOf(cause as Error)}`;
    throw new PublishError('ERR_PUBLISH_UNREACHABLE', message, { cause });
  }
  if (!response.ok) throw new PublishError('ERR_PUBLISH_REFUSED', text || `${url} answered ${response.status}`);
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
