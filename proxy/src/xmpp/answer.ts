/** The answer of an origin to a stanza: its form, and what it says. */
import {
  type Channel,
  type Expires,
  GripError,
  headerValue,
  type Instruct,
  instructKind,
  parseInstructHeaders,
  parseStanzas,
  type ResponseHead,
  type Stanza,
} from '@holdfast/grip';
import { OriginError } from '../errors.js';

/** Media type of stanzas, in requests and answers. */
export const STANZA_TYPE = 'application/xmpp-stanza+xml';

/**
 * @limit {} bytes of an answer to an XMPP stanza
 * @over it counts as failed
 */
export const ANSWER_BYTES_MAX = 1_048_576;

/**
 * @limit {} stanzas in an answer to an XMPP stanza
 * @over it counts as failed
 */
export const ANSWER_STANZAS_MAX = 100;

/** A whole answer. */
export interface WholeAnswer {
  readonly head: ResponseHead;
  readonly body: Buffer;
}

/** What an answer says. */
export interface StanzaAnswer {
  /** To be sent, in this order. */
  readonly stanzas: readonly Stanza[];
  /** The only channels that the client is to be on; undefined: they stay as they are. */
  readonly channels: readonly Channel[] | undefined;
  /** For filters; undefined where the answer has none. */
  readonly meta: Instruct['meta'] | undefined;
  /** When the subscription ends by itself; undefined where the answer does not say. */
  readonly expires: Expires | undefined;
}

/** Whether an answer has stanzas: a success of the media type, with or without parameters, in any case. */
export function isStanzaHead(head: ResponseHead): boolean {
  const [type = ''] = (headerValue(head.headers, 'content-type') ?? '').split(';', 1);
  return isSuccess(head) && type.trim().toLowerCase() === STANZA_TYPE;
}

/** Whether the origin has taken the stanza. */
export function isSuccess({ status }: ResponseHead): boolean {
  return status >= 200 && status < 300;
}

/**
 * Reads the answer of an origin that has taken the stanza. Throws OriginError ERR_ORIGIN_MALFORMED for a body that is not of
 * stanzas, GripError ERR_GRIP_STANZA for stanzas, and ERR_GRIP_INSTRUCT for `Grip-*` fields, that cannot be understood.
 * Without `speaksGrip` such fields mean nothing.
 */
export function readAnswer({ head, body }: WholeAnswer, speaksGrip: boolean): StanzaAnswer {
  if (body.length > 0 && !isStanzaHead(head))
    throw new OriginError('ERR_ORIGIN_MALFORMED', `it answered a stanza with a body that is not ${STANZA_TYPE}`, 'no');
  const stanzas = body.length === 0 ? [] : parseStanzas(body, ANSWER_STANZAS_MAX, 'ERR_GRIP_STANZA');
  if (!speaksGrip || instructKind(head) === 'none')
    return { stanzas, channels: undefined, meta: undefined, expires: undefined };
  const { hold, channels = [], meta } = parseInstructHeaders(head);
  if (hold?.mode === 'response')
    throw new GripError('ERR_GRIP_INSTRUCT', 'Grip-Hold must be stream, or left out, in an answer to a stanza');
  const wanted = hold?.channels ?? (channels.length === 0 ? undefined : channels);
  const said = Object.keys(meta).length === 0 ? undefined : meta;
  return { stanzas, channels: wanted, meta: said, expires: hold?.expires };
}
