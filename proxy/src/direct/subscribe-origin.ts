/** The built-in `subscribe` target over HTTP: it answers a client that may have its channels with an instruct, as an origin would. */
import type { Containment } from '@holdfast/control-api';
import { headerValue, type RawHeaders } from '@holdfast/grip';
import { parametersOf, pathBehind, pathnameOf } from '../http/request-path.js';
import { type Answer, InProcessOrigin, plainAnswer } from '../origin/in-process.js';
import type { OriginRequest } from '../origin/port.js';
import { type Admitted, admit, askedChannels, type SubscribePlace } from './admission.js';
import { endOf, ISSUED_META, type Permit } from './permit.js';
import { readable, visitOf } from './site.js';

/** How items go out: as events, as lines of JSON, as they are, or the first one as the answer. */
type Form = 'events' | 'lines' | 'stream' | 'poll';

const PATHS: ReadonlyMap<string, Form> = new Map([
  ['/events', 'events'],
  ['/lines', 'lines'],
  ['/stream', 'stream'],
  ['/poll', 'poll'],
]);

const TYPES: ReadonlyMap<string, Form> = new Map([
  ['text/event-stream', 'events'],
  ['application/x-ndjson', 'lines'],
  ['application/jsonl', 'lines'],
  ['text/plain', 'stream'],
  ['application/json', 'poll'],
]);

/** Of each kind of stream: its media type, what is sent first, and what while nothing else is. */
const STREAMS: Readonly<Record<Exclude<Form, 'poll'>, { type: string; first: string; idle: string }>> = {
  events: { type: 'text/event-stream', first: ':\n\n', idle: ':\n\n' },
  lines: { type: 'application/x-ndjson', first: '', idle: '\n' },
  stream: { type: 'text/plain; charset=utf-8', first: '', idle: '\n' },
};

/** Seconds without an item after which a stream shows that it is there: below what proxies and phones wait. */
const IDLE_S = 25;

/** Seconds until a long poll without an item is answered 204. */
const POLL_S = 55;

/**
 * Characters of an Accept field: a longer one is that of no client, and counts as none.
 *
 * @limit {} characters of Accept at a `subscribe` target
 * @over it counts as absent
 */
const MAX_ACCEPT = 1_024;

/** A client is to be held. */
interface Held {
  /** The member `hold` of an instruct. */
  readonly hold: object;
  readonly code: number;
  readonly headers: readonly string[];
  readonly body: string;
}

/** See the head of the file. */
export class SubscribeOrigin extends InProcessOrigin {
  readonly #place: SubscribePlace;

  constructor(place: SubscribePlace, faults: Containment) {
    super(faults);
    this.#place = place;
  }

  protected answer(request: OriginRequest): Answer | Promise<Answer> {
    const finished = (outcome: Answer | Held) => this.#finished(request.headers, outcome);
    const outcome = this.#outcomeOf(request);
    return outcome instanceof Promise ? outcome.then(finished) : finished(outcome);
  }

  #outcomeOf({ method, path, headers }: OriginRequest): Answer | Held | Promise<Answer | Held> {
    const host = headerValue(headers, 'host') ?? '';
    const behind = pathBehind(this.#place.route.pathBeg, path);
    const form = formOf(pathnameOf(behind), headers);
    if (form === undefined) return plainAnswer(404, 'Not Found', 'there is nothing to subscribe to at this path\n');
    if (method === 'OPTIONS') return preflight(visitOf({ host, headers }, this.#place.target).isAllowed);
    if (method !== 'GET')
      return plainAnswer(405, 'Method Not Allowed', 'subscribe by GET\n', ['Allow', 'GET, OPTIONS']);
    const channels = askedChannels(parametersOf(behind));
    if (channels === undefined || channels.length === 0)
      return plainAnswer(400, 'Bad Request', 'name at least one channel: ?channel=NAME\n');
    const judged = (outcome: Admitted | Answer) => ('status' in outcome ? outcome : heldBy(form, channels, outcome));
    const outcome = admit(this.#place, { host, headers, channels });
    return outcome instanceof Promise ? outcome.then(judged) : judged(outcome);
  }

  /** With the fields by which pages may read it; an instruct has those for the client inside. */
  #finished(asked: RawHeaders, outcome: Answer | Held): Answer {
    const headers = readable(asked, outcome.headers, this.#place.target);
    if ('status' in outcome) return { ...outcome, headers };
    const { hold, code, body } = outcome;
    const instruct = JSON.stringify({ hold, response: { code, headers: pairsOf(headers), body } });
    return { status: 200, reason: 'OK', headers: ['Content-Type', 'application/grip-instruct'], body: instruct };
  }
}

/** By the path; without one by the first of the media types in Accept that is known, an event stream where none is. */
function formOf(path: string, headers: RawHeaders): Form | undefined {
  if (path !== '/') return PATHS.get(path);
  const accept = headerValue(headers, 'accept') ?? '';
  if (accept.length > MAX_ACCEPT) return 'events';
  for (const range of accept.split(',')) {
    const form = TYPES.get((range.split(';', 1)[0] as string).trim().toLowerCase());
    if (form !== undefined) return form;
  }
  return 'events';
}

function preflight(isAllowed: boolean): Answer {
  if (!isAllowed) return plainAnswer(403, 'Forbidden', 'pages of this site may not subscribe (allow_origin)\n');
  return { status: 204, reason: 'No Content', headers: ['Access-Control-Allow-Methods', 'GET'], body: '' };
}

/** In JSON and not in header fields, where a comma in the name of a channel would make two of it. */
function heldBy(form: Form, channels: readonly string[], { permit }: Admitted): Held {
  const common = { channels: channels.map((name) => ({ name })), ...standing(permit) };
  const unkept = ['Cache-Control', 'no-store'];
  if (form === 'poll')
    return { hold: { mode: 'response', timeout: POLL_S, ...common }, code: 204, headers: unkept, body: '' };
  const { type, first, idle } = STREAMS[form];
  const keepAlive = { content: idle, timeout: IDLE_S, mode: 'idle' };
  const hold = { mode: 'stream', 'keep-alive': keepAlive, ...common };
  return { hold, code: 200, headers: ['Content-Type', type, ...unkept], body: first };
}

/** Whose the hold is, and until when. */
function standing(permit: Permit | undefined): object {
  if (permit === undefined) return {};
  const end = endOf(permit);
  return {
    ...(permit.user !== '' && { meta: { user: permit.user, [ISSUED_META]: String(permit.issuedAt) } }),
    ...(end !== undefined && { expires: new Date(end).toUTCString() }),
  };
}

function pairsOf(headers: RawHeaders): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2) pairs.push([headers[i] as string, headers[i + 1] as string]);
  return pairs;
}
