/** What the options about events mean together: a URL that may be called, with keys, and events that there are. */
import { eventTypes, isEventType, readEventKeys } from '@holdfast/control-api';
import { legibleValue, nearest } from '../../runtime/legible.js';
import { type GivenOption, placeOf } from '../sources.js';
import { isLoopback } from '../types/listen.js';
import type { Draft, Findings } from './combinations.js';

/** Checks them; nothing of a key is shown. */
export function checkEvents(draft: Draft, found: Findings): void {
  if (draft.eventsUrl === '') draft.eventsUrl = undefined;
  const url = found.given.get('events_url');
  const key = found.given.get('events_key') ?? found.given.get('events_key_file');
  if (draft.eventsUrl !== undefined && url !== undefined) checkUrl(draft.eventsUrl, url, found);
  if (draft.eventsKey !== undefined && key !== undefined) checkKeys(draft.eventsKey, key, found);
  if (draft.eventsUrl !== undefined && draft.eventsKey === undefined && url !== undefined)
    found.fail('ERR_CONFIG_CONFLICT', url, 'events are signed: set events_key or events_key_file');
  const events = found.given.get('events');
  const unknown = draft.events.find((type) => !isEventType(type));
  if (unknown !== undefined && events !== undefined)
    found.fail(
      'ERR_CONFIG_VALUE',
      events,
      `there is no event ${legibleValue(unknown)}: did you mean ${nearest(unknown, eventTypes)}?`,
    );
}

function checkUrl(text: string, given: GivenOption, found: Findings): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    const reason = `expected a URL that begins with https:// or http://, got ${legibleValue(text)}`;
    found.fail('ERR_CONFIG_VALUE', given, reason);
    return;
  }
  // It is printed, and logged in part.
  if (url.username !== '' || url.password !== '')
    found.fail('ERR_CONFIG_VALUE', given, 'must hold no user and no password: events are signed by events_key');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (url.protocol === 'http:' && !isLoopback(host))
    found.warnings.push(
      `${placeOf(given.where)}: events go to ${url.host} without TLS: others on the way can read them`,
    );
}

function checkKeys(text: string, given: GivenOption, found: Findings): void {
  try {
    readEventKeys(text);
  } catch (error) {
    found.fail('ERR_CONFIG_KEY', given, (error as Error).message);
  }
}
