/** The request that an item makes to a callback: its filters, where it goes, its fields, its id. */
import { createHash } from 'node:crypto';
import {
  contentFilterMismatch,
  type FilterContext,
  type FilterPlan,
  type HttpRequestSend,
  type Item,
  planFilters,
  type RawHeaders,
  runFilters,
} from '@holdfast/grip';
import type { Callback } from './callback.js';
import type { QueuedItem } from './store.js';

/** What an item is to a callback. */
export type ItemMeaning =
  | {
      readonly kind: 'request';
      readonly method: string;
      readonly url: URL;
      readonly headers: string[];
      readonly body: Buffer;
    }
  /** The callback ends. */
  | { readonly kind: 'close' }
  /** Nothing: it has no such format, or a filter keeps it away. */
  | { readonly kind: 'nothing' };

/**
 * Fields that are ours to say, for they frame the message, belong to its connection (RFC 9110 §7.6.1) or sign it; and Host, which is
 * that of the URL.
 */
const OWN: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'http2-settings',
]);

const OWN_PREFIXES = ['grip-', 'proxy-', 'webhook-'];

/** Reads items for one callback: what is the same for all of them is made once. */
export class CallbackReader {
  readonly #id: string;
  readonly #base: URL;
  readonly #prefix: string;
  readonly #plans: ReadonlyMap<string, FilterPlan>;
  readonly #meta: ReadonlyMap<string, string>;

  constructor({ id, url, prefix, channels, meta }: Callback) {
    this.#id = id;
    this.#base = new URL(url);
    this.#prefix = prefix;
    this.#plans = new Map(channels.map(({ name, filters }) => [name, planFilters(filters)]));
    this.#meta = new Map(Object.entries(meta));
  }

  /** Throws a `GripError` where a filter cannot be run. */
  read(item: Item): ItemMeaning {
    const format = item.formats.httpRequest;
    const plan = this.#plans.get(item.channel);
    if (format === undefined || plan === undefined) return { kind: 'nothing' };
    if (format.action !== 'send') return { kind: format.action === 'close' ? 'close' : 'nothing' };
    if (contentFilterMismatch(plan, format.contentFilters) !== undefined) return { kind: 'nothing' };
    const outcome = plan.steps.length === 0 ? undefined : runFilters(plan, format.body, this.#context(item));
    if (outcome !== undefined && outcome.result !== 'send') return { kind: 'nothing' };
    const body = outcome?.content ?? format.body;
    return {
      kind: 'request',
      method: format.method,
      url: urlOf(this.#base, format),
      headers: fieldsOf(format.headers, format.method, body),
      body,
    };
  }

  /** The `webhook-id` of an item: the same whenever it is sent to this callback, and that of no other item. */
  idOf({ key }: QueuedItem): string {
    return `msg_${createHash('sha256').update(`${this.#id}\n${key}`).digest('base64url').slice(0, 32)}`;
  }

  #context(item: Item): FilterContext {
    const known = new Map<string, string>();
    const name = item.channel.slice(this.#prefix.length);
    if (item.id !== undefined) known.set(name, item.id);
    return {
      subMeta: this.#meta,
      pubMeta: item.meta,
      prevIds: known,
      isSubscribed: (channel) => this.#plans.has(this.#prefix + channel),
    };
  }
}

/** The item's path stands behind that of the callback, and its query behind that one's: nothing of it leads anywhere else. */
function urlOf(base: URL, { path }: HttpRequestSend): URL {
  if (path === '') return base;
  const at = path.indexOf('?');
  const [segments, query] = at < 0 ? [path, undefined] : [path.slice(0, at), path.slice(at + 1)];
  const url = new URL(base);
  if (segments !== '') url.pathname = base.pathname.replace(/\/$/, '') + segments;
  if (query !== undefined) url.search = base.search === '' ? `?${query}` : `${base.search}&${query}`;
  return url;
}

function fieldsOf(published: RawHeaders, method: string, body: Buffer): string[] {
  const fields: string[] = [];
  let hasAgent = false;
  for (let i = 0; i < published.length; i += 2) {
    const name = published[i] as string;
    const lower = name.toLowerCase();
    if (OWN.has(lower) || OWN_PREFIXES.some((prefix) => lower.startsWith(prefix))) continue;
    if (lower === 'user-agent') hasAgent = true;
    fields.push(name, published[i + 1] as string);
  }
  if (!hasAgent) fields.push('User-Agent', 'Holdfast');
  // RFC 9110 §8.6: a request without content needs none where its method gives content no meaning.
  if (body.length > 0 || !(method === 'GET' || method === 'HEAD')) fields.push('Content-Length', String(body.length));
  return fields;
}
