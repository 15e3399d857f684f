/** Where a request has its token: in Authorization, in a subprotocol, in a cookie, or, where the route says so, in the query. */
import { headerValues, type RawHeaders } from '@holdfast/grip';
import type { ClientRequest } from '../edge/port.js';
import { takeParameter } from '../http/request-path.js';
import type { TokenParameter } from '../routes/subscribe-target.js';

/** What a subprotocol begins with that is a token: browsers cannot set Authorization in a handshake. */
export const TOKEN_PROTOCOL = 'holdfast-token.';

/**
 * Characters of a token: the fields of a request have a limit of their own, frames have not.
 *
 * @limit {} characters of a subscriber's token
 * @over it is refused, 401
 */
export const MAX_TOKEN = 8_192;

/** A token, `none`, or why there is no saying which: more than one way at once (RFC 6750 §2). */
export type TokenFound = { readonly token: string } | 'none' | 'several' | 'unknown';

/**
 * The token of a request. Authorization goes before a subprotocol, and that before the cookie, which browsers add by themselves.
 * `hasCookies` says whether a cookie counts.
 */
export function findToken(headers: RawHeaders, cookie: string | undefined, hasCookies: boolean): TokenFound {
  const fields = headerValues(headers, 'authorization');
  if (fields.length > 1) return 'several';
  const [field] = fields;
  if (field !== undefined) {
    const [, token = ''] = /^bearer +(\S+)$/i.exec(field.trim()) ?? [];
    return token === '' ? 'unknown' : { token };
  }
  const protocols = protocolsIn(headers).filter(isToken);
  if (protocols.length > 1) return 'several';
  const [protocol] = protocols;
  if (protocol !== undefined) return { token: protocol.slice(TOKEN_PROTOCOL.length) };
  const baked = cookie === undefined || !hasCookies ? [] : cookiesIn(headers, cookie);
  // Another part of the site may have set one of the same name for a path or a host above: nobody can say which is the right one.
  if (new Set(baked).size > 1) return 'several';
  return baked[0] ? { token: baked[0] } : 'none';
}

/**
 * The subprotocol to choose: the first that is offered and no token. A browser fails a handshake for which it has offered some and
 * gets none (WHATWG WebSockets), so that pages offer one beside the token; the token itself never goes back.
 */
export function protocolBeside(headers: RawHeaders): string | undefined {
  return protocolsIn(headers).find((protocol) => protocol !== '' && !isToken(protocol));
}

/**
 * The request without the token in its query, which is in Authorization from here on if it counts. Where that is there already, both
 * are: two ways at once.
 */
export function withoutToken(request: ClientRequest, parameter: TokenParameter | undefined): ClientRequest {
  if (parameter === undefined) return request;
  const { name, counts } = parameter;
  const taken = takeParameter(request.path, name);
  if (taken === undefined) return request;
  const { headers } = request;
  const asField = counts && taken.value !== '' ? [...headers, 'Authorization', `Bearer ${taken.value}`] : headers;
  return { ...request, path: taken.path, headers: asField };
}

function isToken(protocol: string): boolean {
  return protocol.startsWith(TOKEN_PROTOCOL);
}

function protocolsIn(headers: RawHeaders): string[] {
  return headerValues(headers, 'sec-websocket-protocol')
    .flatMap((value) => value.split(','))
    .map((protocol) => protocol.trim());
}

/** The values of a cookie (RFC 6265 §5.4). */
function cookiesIn(headers: RawHeaders, name: string): string[] {
  return headerValues(headers, 'cookie')
    .flatMap((value) => value.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1).replace(/^"(.*)"$/, '$1'));
}
