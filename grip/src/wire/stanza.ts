/**
 * XMPP stanzas as text (RFC 6120 §8): read strictly and within bounds, since one that is malformed would end the stream of all, and
 * written for one addressee. The only importer of saxes, which is loaded with the first stanza.
 */
import { Buffer, isUtf8 } from 'node:buffer';
// biome-ignore lint/style/noRestrictedImports: a library that is as pure, and takes longer to load than most that are always needed
import { createRequire } from 'node:module';
import type * as Saxes from 'saxes';
import { GripError, type GripErrorCode } from '../errors.js';

/**
 * Bytes of one stanza, its tags included: what servers take from clients. Servers close the stream of a component for more than twice
 * as much, of their own.
 *
 * @limit {KiB} of an XMPP stanza
 * @over refused: publish 400; an answer of the origin counts as failed; a client gets the error `policy-violation`
 */
export const MAX_STANZA_BYTES = 262_144;

/**
 * @limit {} elements within each other in an XMPP stanza
 * @over refused likewise
 */
export const MAX_STANZA_DEPTH = 64;

/** The three kinds of stanza. */
export const stanzaNames = ['message', 'presence', 'iq'] as const;

export type StanzaName = (typeof stanzaNames)[number];

/** One stanza. */
export interface Stanza {
  readonly name: StanzaName;
  /** As written; undefined without one. Neither is checked to be a JID. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly id: string | undefined;
  readonly type: string | undefined;
  /** All attributes but `from`, `to` and `xmlns`, as XML: each with a space before it. */
  readonly attributes: string;
  /** What is between its tags, as written: well-formed XML. */
  readonly inner: string;
}

/** Namespaces that a stanza may be in: that of clients, and that of components (XEP-0114). Without one it is in that of its stream. */
const NAMESPACES: ReadonlySet<string> = new Set(['', 'jabber:client', 'jabber:component:accept']);

/** Which other characters names may have depends on the edition of XML (4th or 5th) that a parser goes by. */
const ASCII = /^[\x21-\x7e]+$/;

/** Some libraries put one before all they write. */
const DECLARATION = /^\s*<\?xml\s[^?]*\?>/;

let loaded: typeof Saxes | undefined;

function saxes(): typeof Saxes {
  loaded ??= createRequire(import.meta.url)('saxes') as typeof Saxes;
  return loaded;
}

/**
 * Reads stanzas that follow each other, with nothing but white space between. Entities other than the five of XML are errors, and
 * so are document types, comments and processing instructions (RFC 6120 §11.1): nothing expands. Names are ASCII.
 *
 * Throws a GripError of the given code that says what is wrong, and where: `line:column: …` as far as the reader knows it.
 */
export function parseStanzas(bytes: Buffer, max: number, code: GripErrorCode): Stanza[] {
  if (!isUtf8(bytes)) throw new GripError(code, 'it is not UTF-8');
  return new StanzaReader(bytes.toString('utf8').replace(DECLARATION, ''), max, code).read();
}

/** Reads exactly one. Throws likewise. */
export function parseStanza(bytes: Buffer, code: GripErrorCode): Stanza {
  if (bytes.length > MAX_STANZA_BYTES) throw tooLong(code);
  const [stanza] = parseStanzas(bytes, 1, code);
  if (stanza === undefined) throw new GripError(code, 'it has no element');
  return stanza;
}

function tooLong(code: GripErrorCode): GripError {
  return new GripError(code, `a stanza has more than ${MAX_STANZA_BYTES} bytes`);
}

class StanzaReader {
  readonly #text: string;
  readonly #max: number;
  readonly #code: GripErrorCode;
  readonly #stanzas: Stanza[] = [];
  #depth = 0;
  /** Of the stanza that is being read: its tag, and where its content begins. */
  #root: Saxes.SaxesTagNS | undefined;
  #inner = 0;

  constructor(text: string, max: number, code: GripErrorCode) {
    this.#text = text;
    this.#max = max;
    this.#code = code;
  }

  read(): Stanza[] {
    const { SaxesParser } = saxes();
    const parser = new SaxesParser({ xmlns: true, fragment: true });
    parser.on('error', ({ message }) => this.#fail(message));
    parser.on('doctype', () => this.#fail('a document type declaration'));
    parser.on('comment', () => this.#fail('a comment'));
    parser.on('processinginstruction', () => this.#fail('a processing instruction'));
    parser.on('text', (text) => this.#between(text));
    parser.on('cdata', () => this.#between('.'));
    parser.on('opentag', (tag) => this.#opened(tag, parser.position));
    parser.on('closetag', (tag) => this.#closed(tag, parser.position));
    parser.write(this.#text).close();
    return this.#stanzas;
  }

  #fail(why: string): never {
    throw new GripError(this.#code, why);
  }

  #between(text: string): void {
    if (this.#depth === 0 && text.trim() !== '') this.#fail('text outside of an element');
  }

  #opened(tag: Saxes.SaxesTagNS, position: number): void {
    const odd = [tag.name, ...Object.keys(tag.attributes)].find((name) => !ASCII.test(name));
    if (odd !== undefined) this.#fail(`the name ${JSON.stringify(odd)}, which is not ASCII`);
    if (++this.#depth > MAX_STANZA_DEPTH) this.#fail(`elements within each other deeper than ${MAX_STANZA_DEPTH}`);
    if (this.#depth > 1) return;
    if (this.#stanzas.length === this.#max)
      this.#fail(`more than ${this.#max === 1 ? 'one stanza' : `${this.#max} stanzas`}`);
    if (!isStanzaName(tag.name) || !NAMESPACES.has(tag.uri)) {
      const where = tag.uri === '' ? '' : ` in the namespace ${JSON.stringify(tag.uri)}`;
      this.#fail(`the element ${JSON.stringify(tag.name)}${where} is no stanza: known are ${stanzaNames.join(', ')}`);
    }
    this.#root = tag;
    this.#inner = position;
  }

  #closed(tag: Saxes.SaxesTagNS, position: number): void {
    if (--this.#depth > 0) return;
    const end = tag.isSelfClosing ? position : this.#text.lastIndexOf('<', position - 1);
    const stanza = stanzaOf(this.#root as Saxes.SaxesTagNS, this.#text.slice(this.#inner, end));
    // As it will be written: attributes may need more escapes than they came with.
    if (Buffer.byteLength(stanza.attributes) + Buffer.byteLength(stanza.inner) > MAX_STANZA_BYTES)
      throw tooLong(this.#code);
    this.#stanzas.push(stanza);
  }
}

function isStanzaName(name: string): name is StanzaName {
  return (stanzaNames as readonly string[]).includes(name);
}

function stanzaOf({ name, attributes }: Saxes.SaxesTagNS, inner: string): Stanza {
  let written = '';
  for (const { name, value } of Object.values(attributes)) {
    if (name !== 'from' && name !== 'to' && name !== 'xmlns') written += ` ${name}='${escapeXml(value)}'`;
  }
  const { from, to, id, type } = attributes;
  return {
    name: name as StanzaName,
    from: from?.value,
    to: to?.value,
    id: id?.value,
    type: type?.value,
    attributes: written,
    inner,
  };
}

/** A stanza with these addresses in the place of its own, as XML without a namespace: it is in that of the stream. */
export function formatStanza({ name, attributes, inner }: Stanza, from: string, to: string): string {
  const head = `<${name} from='${escapeXml(from)}' to='${escapeXml(to)}'${attributes}`;
  return inner === '' ? `${head}/>` : `${head}>${inner}</${name}>`;
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** Text as it stands in an element or an attribute. Characters that XML does not have are left out (XML 1.0 §2.2). */
export function escapeXml(text: string): string {
  return text.replace(FORBIDDEN, '').replace(/[&<>"'\t\n\r]/g, (character) => escapes[character] as string);
}

/** All but the characters of XML 1.0 (§2.2). */
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
