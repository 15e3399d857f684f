/** Stanzas that say that another could not be served (RFC 6120 §8.3). */
import { escapeXml, formatStanza, type Stanza } from '@holdfast/grip';

/** Conditions that are used, with the type that goes with each (RFC 6120 §8.3.3). */
const conditions = {
  'bad-request': 'modify',
  conflict: 'cancel',
  'feature-not-implemented': 'cancel',
  forbidden: 'auth',
  gone: 'cancel',
  'internal-server-error': 'wait',
  'item-not-found': 'cancel',
  'jid-malformed': 'modify',
  'not-acceptable': 'modify',
  'not-allowed': 'cancel',
  'not-authorized': 'auth',
  'policy-violation': 'modify',
  'remote-server-timeout': 'wait',
  'resource-constraint': 'wait',
  'service-unavailable': 'cancel',
} as const;

/** Why a stanza was not served. */
export type Condition = keyof typeof conditions;

const NAMESPACE = 'urn:ietf:params:xml:ns:xmpp-stanzas';

/** What the status of an origin's answer means to the client; others by their class. */
const byStatus: Readonly<Record<number, Condition>> = {
  400: 'bad-request',
  401: 'not-authorized',
  403: 'forbidden',
  404: 'item-not-found',
  405: 'not-allowed',
  409: 'conflict',
  410: 'gone',
  413: 'policy-violation',
  429: 'resource-constraint',
  501: 'feature-not-implemented',
  503: 'resource-constraint',
  504: 'remote-server-timeout',
};

/** The condition for an answer with a status that is no success. */
export function conditionOf(status: number): Condition {
  return byStatus[status] ?? (status >= 400 && status < 500 ? 'not-acceptable' : 'internal-server-error');
}

/** Whether somebody waits for an answer to an IQ stanza (RFC 6120 §8.2.3). */
export function isQuery({ name, type }: Stanza): boolean {
  return name === 'iq' && (type === 'get' || type === 'set');
}

/**
 * The error that answers a stanza; undefined for one that has no such answer: errors, results and presence, so that two who
 * answer each other do not go on for ever.
 */
export function errorFor(stanza: Stanza, from: string, to: string, condition: Condition): string | undefined {
  const { name, type, id } = stanza;
  if (name === 'presence' || type === 'error' || (name === 'iq' && !isQuery(stanza))) return undefined;
  const attributes = ` type='error'${id === undefined ? '' : ` id='${escapeXml(id)}'`}`;
  const inner = `<error type='${conditions[condition]}'><${condition} xmlns='${NAMESPACE}'/></error>`;
  return formatStanza({ ...stanza, attributes, inner }, from, to);
}

/** Says to a client that it is not subscribed any more. */
export function unavailable(from: string, to: string): string {
  return `<presence from='${escapeXml(from)}' to='${escapeXml(to)}' type='unavailable'/>`;
}
