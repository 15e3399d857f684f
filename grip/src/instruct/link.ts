/** The links of an instruct, and the Grip-Link header. Links are resolved and fetched by the proxy. */
import { GripError } from '../errors.js';
import { type Element, paramValue, parseElement, splitElements } from '../wire/params.js';
import { parseInteger, textFromWire } from '../wire/text.js';

/**
 * @limit {} s without an item if the `timeout` of a next link does not say otherwise
 * @over the next link is fetched
 */
const DEFAULT_NEXT_TIMEOUT = 120;

/** Where the continuation of a stream is fetched, which is what makes it reliable. */
export interface NextLink {
  /** Absolute, or relative to the URL of the response that named it. Any scheme: the caller that fetches it must check. */
  readonly uri: string;
  /** Seconds without activity on all channels before it is fetched; 0 means at once. Up to 2^31-1. */
  readonly timeout: number;
}

/** Where the end of the hold is reported to the origin. */
export interface GoneLink {
  /** As {@link NextLink.uri}. */
  readonly uri: string;
}

/** The links of one instruct, one of each kind at most. */
export interface Links {
  readonly next?: NextLink;
  readonly gone?: GoneLink;
}

/** Shared by all instructs without links, which are nearly all of them. */
const NO_LINKS: Links = Object.freeze({});

/**
 * Parses all values of Grip-Link; the last of each rel wins. Elements without parameters, with unparsable ones or with
 * another rel are ignored. Throws ERR_GRIP_INSTRUCT for a URL without angle brackets, an invalid URL or timeout.
 */
export function parseLinks(values: readonly string[]): Links {
  if (values.length === 0) return NO_LINKS;
  const links: { next?: NextLink; gone?: GoneLink } = {};
  for (const text of splitElements(values)) {
    const element = parseElement(text);
    if (!element || element.params.length === 0) continue;
    const uri = uriOf(element);
    const rel = paramValue(element.params, 'rel');
    if (rel === 'next') links.next = { uri, timeout: timeoutOf(element) };
    else if (rel === 'gone') links.gone = { uri };
  }
  return links;
}

function uriOf({ value }: Element): string {
  if (value.length <= 2 || !value.startsWith('<') || !value.endsWith('>')) {
    throw new GripError('ERR_GRIP_INSTRUCT', 'failed to parse Grip-Link value');
  }
  const uri = textFromWire(value.slice(1, -1));
  if (!URL.canParse(uri, 'http://localhost/')) {
    throw new GripError('ERR_GRIP_INSTRUCT', 'Grip-Link contains invalid link');
  }
  return uri;
}

function timeoutOf({ params }: Element): number {
  const text = paramValue(params, 'timeout');
  if (text === undefined) return DEFAULT_NEXT_TIMEOUT;
  const timeout = parseInteger(text);
  if (timeout === undefined) throw new GripError('ERR_GRIP_INSTRUCT', 'failed to parse Grip-Link timeout value');
  if (timeout < 0) throw new GripError('ERR_GRIP_INSTRUCT', 'Grip-Link timeout has invalid value');
  return timeout;
}
