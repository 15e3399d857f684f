/** How a client asks, in its handshake, to come back later for what it missed. */

/** Name of the query parameter. Browsers can set no header of a handshake, and a subprotocol would have to be accepted. */
const NAME = 'holdfast-resume';

/** A path without the parameter, and what it said: a token, or empty for a client that comes for the first time. */
export interface ResumeRequest {
  readonly path: string;
  readonly token: string;
}

/** Takes the parameter out of an encoded path and query; undefined when it is not there. Of several the last counts. */
export function takeResumeRequest(path: string): ResumeRequest | undefined {
  const mark = path.indexOf('?');
  if (mark === -1) return undefined;
  let token: string | undefined;
  const others = path
    .slice(mark + 1)
    .split('&')
    .filter((field) => {
      const isOurs = field === NAME || field.startsWith(`${NAME}=`);
      if (isOurs) token = field.slice(NAME.length + 1);
      return !isOurs;
    });
  if (token === undefined) return undefined;
  return { path: path.slice(0, mark) + (others.length === 0 ? '' : `?${others.join('&')}`), token };
}
