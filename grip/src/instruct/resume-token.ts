/** That a client may come back to its stream without its origin being asked: the value, and the Grip-Resume-Token header. */
import { GripError } from '../errors.js';
import { paramValue, parseElement } from '../wire/params.js';
import { parseInteger } from '../wire/text.js';

/** For how long, and how the client gets the token. */
export interface ResumeTokenWish {
  /** Seconds, 1 at least. */
  readonly ttl: number;
  /** As a cookie, for clients that can send no field of their own; else as a field. */
  readonly cookie: boolean;
}

/** Parses `<seconds>[; cookie]`; undefined without a header. Throws ERR_GRIP_INSTRUCT for anything else. */
export function parseResumeToken(text: string | undefined): ResumeTokenWish | undefined {
  if (text === undefined) return undefined;
  const element = parseElement(text);
  const ttl = element && parseInteger(element.value);
  if (element === undefined || ttl === undefined || ttl < 1)
    throw new GripError('ERR_GRIP_INSTRUCT', 'failed to parse Grip-Resume-Token');
  return { ttl, cookie: paramValue(element.params, 'cookie') !== undefined };
}
