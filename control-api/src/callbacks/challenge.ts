/** Whether a server wants a callback: it is asked once, before anything else is sent to it, as hubs of WebSub do (W3C WebSub §5.3). */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../runtime/clock.js';
import type { WebhookAnswer } from '../webhooks/exchange.js';
import type { Callback } from './callback.js';

/** The question: the URL of the callback with WebSub's parameters, and the text that has to come back. */
export function challengeOf(
  { url, channels, expires }: Callback,
  clock: Clock,
): { readonly url: URL; readonly text: string } {
  const text = randomBytes(24).toString('base64url');
  const asked = new URL(url);
  const { searchParams } = asked;
  searchParams.append('hub.mode', 'subscribe');
  for (const { name } of channels) searchParams.append('hub.topic', name);
  searchParams.append('hub.challenge', text);
  searchParams.append('hub.lease_seconds', String(Math.max(0, Math.floor((expires - clock.wall()) / 1_000))));
  return { url: asked, text };
}

/** Whether an answer confirms the callback: 2xx, and a content that is the text and nothing else. */
export function isConfirmed(answer: WebhookAnswer, text: string): boolean {
  return 'status' in answer && answer.status >= 200 && answer.status < 300 && answer.body?.toString('latin1') === text;
}

/** Whether it says no: 404 or 410, or 2xx without the text. Anything else may be over in a moment. */
export function isRefused(answer: WebhookAnswer, text: string): boolean {
  if ('error' in answer) return false;
  const { status } = answer;
  return status === 404 || status === 410 || (status >= 200 && status < 300 && !isConfirmed(answer, text));
}
