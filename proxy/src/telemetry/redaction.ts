/** What the access log must not show: credentials always, and what `log_redact` names. */
import type { Redacted } from '../config/types/access-log.js';

/** Stands where something was left out. */
export const REDACTED = '[redacted]';

/** Fields that are credentials whatever they hold: no option shows them. `sec-websocket-protocol` carries tokens of browsers. */
const CREDENTIALS = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'grip-sig',
  'holdfast-resume-token',
  'sec-websocket-protocol',
  'x-api-key',
  'x-auth-token',
];

/** Takes out of header fields and URLs what is not to be shown. Never throws. */
export class Redaction {
  readonly #headers: ReadonlySet<string>;
  readonly #parameters: ReadonlySet<string>;

  constructor(redacted: readonly Redacted[]) {
    const of = (kind: Redacted['kind']) => redacted.filter((entry) => entry.kind === kind).map(({ name }) => name);
    this.#headers = new Set([...CREDENTIALS, ...of('header')]);
    // URLs have one character for each byte.
    this.#parameters = new Set(of('query').map((name) => Buffer.from(name, 'utf8').toString('latin1')));
  }

  /** The value of a field, whose name is in lower case, as it may be shown. */
  header(name: string, value: string): string {
    if (this.#headers.has(name)) return REDACTED;
    return name === 'referer' ? this.url(value) : value;
  }

  /**
   * A URL, or a path with its query, without the values of parameters that are redacted. Names are compared as an origin may read
   * them: escapes undone, in any case, up to a bracket (`token[]`), and between `&` as well as `;`.
   */
  url(url: string): string {
    if (this.#parameters.size === 0) return url;
    const mark = url.indexOf('?');
    if (mark === -1) return url;
    const query = url.slice(mark + 1).replace(/[^&;]+/g, (field) => this.#field(field));
    return `${url.slice(0, mark + 1)}${query}`;
  }

  #field(field: string): string {
    const equals = field.indexOf('=');
    if (equals === -1) return field;
    return this.#parameters.has(parameterName(field.slice(0, equals)))
      ? `${field.slice(0, equals)}=${REDACTED}`
      : field;
  }
}

function parameterName(text: string): string {
  const plain = text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const bracket = plain.indexOf('[');
  // A second `?` begins no new query, but some read what is behind it as one.
  const whole = (bracket > 0 ? plain.slice(0, bracket) : plain).toLowerCase();
  return whole.slice(whole.lastIndexOf('?') + 1).trim();
}
