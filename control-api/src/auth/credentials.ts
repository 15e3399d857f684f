/** What a request says of who sends it: one credential, in any of the header fields that clients in the field use. */

/** A literal key or a token, its bytes as characters; never to be shown. */
export interface Credential {
  readonly text: string;
}

/** `none` where there is none, `several` where there are two different ones, `unknown` where Authorization is none of ours. */
export type CredentialRead = Credential | 'none' | 'several' | 'unknown';

/**
 * Reads Authorization (Bearer and Basic, RFC 6750 and 7617), X-API-Key and Fastly-Key from header fields as they came, names and
 * values in turn. Every repetition of a field counts. Nothing is taken from the query: it is in too many logs.
 */
export function readCredential(rawHeaders: readonly string[]): CredentialRead {
  let found: CredentialRead = 'none';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const next = credentialIn(rawHeaders[i] as string, rawHeaders[i + 1] as string);
    if (next === undefined) continue;
    if (found === 'none') found = next;
    else if (!isSame(found, next)) return 'several';
  }
  return found;
}

/** Their lengths differ, so that most fields are passed over by that. */
function credentialIn(name: string, value: string): Credential | 'unknown' | undefined {
  switch (name.length) {
    case 9:
      return name.toLowerCase() === 'x-api-key' ? literal(value) : undefined;
    case 10:
      return name.toLowerCase() === 'fastly-key' ? literal(value) : undefined;
    case 13:
      return name.toLowerCase() === 'authorization' ? authorization(value.trim()) : undefined;
    default:
      return undefined;
  }
}

/** An empty field is none. */
function literal(value: string): Credential | undefined {
  const text = value.trim();
  return text === '' ? undefined : { text };
}

function authorization(value: string): Credential | 'unknown' | undefined {
  if (value === '') return undefined;
  // As publishers write it.
  if (/^Bearer [^ \t]/.test(value)) return { text: value.slice('Bearer '.length) };
  const [, scheme = '', text = ''] = /^(\S+)[ \t]+(.+)$/.exec(value) ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return { text };
    case 'basic':
      return basic(text);
    default:
      return 'unknown';
  }
}

/** The password is the credential, whatever the name; some programs give the credential as a name without password. */
function basic(encoded: string): Credential | 'unknown' {
  const [, name = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString('latin1')) ?? [];
  const text = password === '' ? name : password;
  return text === '' ? 'unknown' : { text };
}

/** The same key in two fields is one credential. Both came in one request, so that their comparison shows nobody anything new. */
function isSame(one: Credential | 'unknown', other: Credential | 'unknown'): boolean {
  return typeof one !== 'string' && typeof other !== 'string' && one.text === other.text;
}
