/** The properties of a route's condition: looking one up, and reading those whose text has a form. */
import { headerFault, isToken, type SigKey, wireFromText } from '@holdfast/grip';
import { parseSize } from '../config/parse-option.js';
import { RoutesError } from '../errors.js';
import type { RoutePropName } from './property-table.js';
import type { RouteProp } from './routes-file.js';
import { isVisible } from './target.js';

/** A host of `link_hosts`. */
export interface LinkHost {
  /** As URLs have it: in lower case, an IPv6 address without brackets. */
  readonly host: string;
  /** Undefined for any. */
  readonly port: number | undefined;
}

/** Turns the text of `sig_key` into a key: text, `base64:…` or `file:path`. Throws when it cannot be used. */
export type ReadSigKey = (text: string) => SigKey | undefined;

/** The properties of one condition by name, with the checks that Pushpin makes. */
export class Props {
  readonly #all: readonly RouteProp[];
  readonly #line: number;
  readonly #byName: ReadonlyMap<string, RouteProp>;

  constructor(all: readonly RouteProp[], line: number) {
    this.#all = all;
    this.#line = line;
    // Of a repeated single-valued property the last counts.
    this.#byName = new Map(all.map((prop) => [prop.name, prop]));
  }

  has(name: RoutePropName): boolean {
    return this.#byName.has(name);
  }

  /** The text of a property; empty when it is there as a flag. */
  text(name: RoutePropName): string | undefined {
    const prop = this.#byName.get(name);
    return prop === undefined ? undefined : (prop.value ?? '');
  }

  /** The text, if there is any. */
  filled(name: RoutePropName): string | undefined {
    return this.text(name) || undefined;
  }

  /** Text that is sent to origins in the request line or in Host, where other characters would be bytes of another meaning. */
  visible(name: RoutePropName): string | undefined {
    const text = this.text(name);
    if (text !== undefined && !isVisible(text))
      throw this.error(name, `${name} must be visible ASCII: encode the rest`);
    return text;
  }

  /** The entries of a list: `a|b`, or the property repeated. Undefined when it is not there. */
  list(name: RoutePropName): string[] | undefined {
    const found = this.#all.filter((prop) => prop.name === name);
    if (found.length === 0) return undefined;
    return found
      .flatMap(({ value = '' }) => value.split('|').map((entry) => entry.trim()))
      .filter((entry) => entry !== '');
  }

  choice<Choice extends string>(name: RoutePropName, choices: readonly Choice[], reason: string): Choice | undefined {
    const text = this.text(name);
    const found = choices.find((choice) => choice === text);
    if (text !== undefined && found === undefined) throw this.error(name, reason);
    return found;
  }

  count(name: RoutePropName): number | undefined {
    const text = this.text(name);
    if (text !== undefined && !/^\d{1,9}$/.test(text)) throw this.error(name, `${name} must be a whole number`);
    return text === undefined ? undefined : Number(text);
  }

  size(name: RoutePropName): number | undefined {
    const text = this.text(name);
    const size = text === undefined ? undefined : parseSize(text);
    if (text !== undefined && size === undefined)
      throw this.error(name, `${name} must be a number of bytes, such as 64KiB or 1MB`);
    return size;
  }

  headers(): (readonly [string, string])[] {
    const found = this.#all.filter(({ name }) => name === 'header');
    return found.reverse().map((prop) => {
      const text = prop.value ?? '';
      const at = text.indexOf(':');
      const pair = [text.slice(0, at).trim(), wireFromText(text.slice(at + 1).trim())] as const;
      if (at < 1 || !isToken(pair[0])) throw this.error(prop, "header must use format 'name:value'");
      if (headerFault(...pair) !== undefined) throw this.error(prop, 'header has characters that HTTP does not allow');
      return pair;
    });
  }

  linkHosts(): LinkHost[] {
    const found = this.#all.filter(({ name }) => name === 'link_hosts');
    return found.flatMap((prop) => {
      const entries = (prop.value ?? '').split(LIST).filter((entry) => entry !== '');
      if (entries.length === 0) throw this.error(prop, 'link_hosts must name at least one host');
      return entries.map((entry) => {
        const host = linkHost(entry);
        if (host === undefined) throw this.error(prop, `link_hosts: '${entry}' is no host, or host:port`);
        return host;
      });
    });
  }

  prefix(separator: string): { prefix: string; reserved: string } {
    const prefix = this.text('prefix') ?? '';
    // Its end must not be a part of it either: `a:` before `::` is `a` before `:::`.
    if (separator !== '' && (prefix + separator).indexOf(separator) < prefix.length) {
      throw this.error('prefix', `prefix must not contain the prefix_separator '${separator}', nor run into it`);
    }
    return prefix === '' ? { prefix, reserved: separator } : { prefix: prefix + separator, reserved: '' };
  }

  sigKey(read: ReadSigKey): SigKey | undefined {
    const text = this.text('sig_key');
    if (text === undefined) return undefined;
    try {
      return read(text);
    } catch (error) {
      const { column = 0 } = this.#byName.get('sig_key') ?? {};
      const at = { line: this.#line, column };
      throw new RoutesError(`sig_key: ${(error as Error).message}`, at, { code: 'ERR_CONFIG_KEY', cause: error });
    }
  }

  error(prop: RoutePropName | '' | RouteProp, reason: string, cause?: unknown): RoutesError {
    const column = (typeof prop === 'string' ? this.#byName.get(prop) : prop)?.column ?? 0;
    return new RoutesError(reason, { line: this.#line, column }, { cause });
  }
}

/** Between the entries of a property that lists some. */
const LIST = /[|,;\s]+/;

/** `host` or `host:port`; undefined for anything else. The host is brought into the form that URLs have. */
function linkHost(text: string): LinkHost | undefined {
  const port = /:(\d{1,5})$/.exec(text)?.[1];
  const name = port === undefined ? text : text.slice(0, -port.length - 1);
  const number = port === undefined ? undefined : Number(port);
  if (!URL.canParse(`http://${name}`) || number === 0 || (number !== undefined && number > 65_535)) return undefined;
  const { hostname, host, href } = new URL(`http://${name}`);
  if (href !== `http://${host}/` || hostname !== host || /[*]/.test(host)) return undefined;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: number };
}
