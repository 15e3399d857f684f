/** XMPP stanzas: what is read, what is refused and why, and that what is written is what was read. */
import fc from 'fast-check';
import t from 'tap';
import {
  escapeXml,
  formatStanza,
  MAX_STANZA_BYTES,
  MAX_STANZA_DEPTH,
  parseStanza,
  parseStanzas,
} from '../../dist/index.js';
import { messageOf } from '../grip-error.js';

const read = (text: string) => parseStanza(Buffer.from(text), 'ERR_GRIP_STANZA');
const fault = (text: string) => messageOf('ERR_GRIP_STANZA', () => read(text));

t.test('a stanza is its name, its addresses, its other attributes, and its content as written', async (t) => {
  t.strictSame(
    read(`<message from='a@b' to="c@d/e" id='1' type='chat' xml:lang='en'><body>x &amp; y</body></message>`),
    {
      name: 'message',
      from: 'a@b',
      to: 'c@d/e',
      id: '1',
      type: 'chat',
      attributes: " id='1' type='chat' xml:lang='en'",
      inner: '<body>x &amp; y</body>',
    },
  );
  const bare = { from: undefined, to: undefined, id: undefined, type: undefined, attributes: '', inner: '' };
  for (const text of [
    '<presence/>',
    ' <presence  />\n',
    '<presence></presence >',
    "<?xml version='1.0'?>\n<presence/>",
  ])
    t.strictSame(read(text), { name: 'presence', ...bare }, text);
  t.strictSame(read("<iq type='get'><q xmlns='a:b'><![CDATA[<]]></q></iq>").inner, "<q xmlns='a:b'><![CDATA[<]]></q>");
});

t.test('the namespace of a stream is taken off; prefixes stay declared', async (t) => {
  for (const space of ['', ' xmlns="jabber:client"', " xmlns='jabber:component:accept'"])
    t.equal(
      formatStanza(read(`<message${space} xmlns:x='u:v'><x:y/></message>`), 'f', 't'),
      "<message from='f' to='t' xmlns:x='u:v'><x:y/></message>",
    );
});

t.test(
  'what is written has the addresses that are given, and what is in them cannot leave its attribute',
  async (t) => {
    t.equal(
      formatStanza(read("<presence from='x' to='y'/>"), "a'b", '<c>&"'),
      "<presence from='a&apos;b' to='&lt;c&gt;&amp;&quot;'/>",
    );
    t.equal(escapeXml('a\u0000\u000b\ud800b\ufffe\n'), 'ab&#10;');
    t.equal(escapeXml('😀'), '😀');
  },
);

t.test('what is malformed is refused with the reason and the place', async (t) => {
  const table: [text: string, message: RegExp][] = [
    ['', /^it has no element$/],
    ['text', /text outside of an element/],
    ['<message/>text', /text outside of an element/],
    ['<message/><![CDATA[x]]>', /text outside of an element/],
    ['<message/><message/>', /^more than one stanza$/],
    ['<message>', /^1:9: unclosed tag: message/],
    ['<message><body>x</message>', /^1:26: unexpected close tag/],
    ['<message>\n<body></message>', /^2:\d+: unexpected close tag/],
    ['</message>', /unmatched closing tag|unexpected/i],
    ['<message a=b/>', /^1:\d+: unquoted attribute value/],
    ["<message a='1' a='2'/>", /duplicate attribute/],
    ["<message a='<'/>", /disallowed character/],
    ['<message>&nbsp;</message>', /undefined entity/],
    ['<message>&#0;</message>', /malformed character entity|disallowed/],
    ['<message>\u0000</message>', /disallowed character/],
    ['<message>]]></message>', /the string "]]>" is disallowed/],
    ['<message><x:y/></message>', /unbound namespace prefix/],
    ['<message><!-- x --></message>', /^a comment$/],
    ['<message><?x y?></message>', /^a processing instruction$/],
    ['<message><ñ/></message>', /^the name "ñ", which is not ASCII$/],
    ["<message><a ñ='1'/></message>", /^the name "ñ", which is not ASCII$/],
    ["<message xmlns:x=''/>", /invalid attempt to undefine prefix/],
    ['<body/>', /^the element "body" is no stanza: known are message, presence, iq$/],
    ["<message xmlns='urn:x'/>", /^the element "message" in the namespace "urn:x" is no stanza/],
    ["<x:message xmlns:x='jabber:client'/>", /^the element "x:message" in the namespace "jabber:client" is no stanza/],
  ];
  for (const [text, message] of table) t.match(fault(text), message, JSON.stringify(text));
  t.equal(
    messageOf('ERR_GRIP_STANZA', () => parseStanza(Buffer.from([0x3c, 0xff]), 'ERR_GRIP_STANZA')),
    'it is not UTF-8',
  );
});

t.test('entity bombs are refused before anything expands', async (t) => {
  const levels = Array.from({ length: 9 }, (_, n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(10)}">`).join('');
  const laughs = `<!DOCTYPE m [<!ENTITY e0 "lol">${levels}]><message><body>&e9;</body></message>`;
  const quadratic = `<!DOCTYPE m [<!ENTITY e "${'a'.repeat(50_000)}">]><message>${'&e;'.repeat(40_000)}</message>`;
  const external = `<!DOCTYPE m SYSTEM "file:///etc/passwd"><message>&x;</message>`;
  const parameter = `<!DOCTYPE m [<!ENTITY % p SYSTEM "http://127.0.0.1:1/">%p;]><message/>`;
  for (const text of [laughs, quadratic, external, parameter])
    t.match(fault(text), /^a document type declaration$|^1:/);
});

t.test('a stanza may have so many levels and bytes, and an answer so many stanzas', async (t) => {
  const nested = (levels: number) => `<message>${'<a>'.repeat(levels - 1)}${'</a>'.repeat(levels - 1)}</message>`;
  t.equal(read(nested(MAX_STANZA_DEPTH)).name, 'message');
  t.equal(fault(nested(MAX_STANZA_DEPTH + 1)), `elements within each other deeper than ${MAX_STANZA_DEPTH}`);
  const long = (bytes: number) => `<message><b>${'é'.repeat((bytes - 26) / 2)}</b></message>`;
  t.equal(Buffer.byteLength(long(MAX_STANZA_BYTES)), MAX_STANZA_BYTES);
  t.equal(read(long(MAX_STANZA_BYTES)).name, 'message');
  const tooLong = `a stanza has more than ${MAX_STANZA_BYTES} bytes`;
  t.equal(fault(long(MAX_STANZA_BYTES + 2)), tooLong);
  // Each of these needs six bytes as it is written.
  t.equal(fault(`<message id="${"'".repeat(MAX_STANZA_BYTES / 4)}"/>`), tooLong);
  const many = (count: number) => parseStanzas(Buffer.from('<presence/>\n'.repeat(count)), 3, 'ERR_GRIP_STANZA');
  t.equal(many(3).length, 3);
  t.equal(many(0).length, 0);
  t.equal(
    messageOf('ERR_GRIP_STANZA', () => many(4)),
    'more than 3 stanzas',
  );
  const each = '<message>'.length;
  const big = `<message>${'x'.repeat(MAX_STANZA_BYTES - each)}</message>`;
  t.equal(parseStanzas(Buffer.from(big + big), 3, 'ERR_GRIP_STANZA').length, 2, 'the limit is that of each');
});

t.test('what is read and written again is the same stanza, whatever is in it', async (t) => {
  const text = fc.string({ unit: 'binary', maxLength: 20 });
  const name = fc.constantFrom('message', 'presence', 'iq');
  fc.assert(
    fc.property(name, text, text, text, text, (kind, from, to, id, body) => {
      const wanted = `<${kind} id='${escapeXml(id)}'><b>${escapeXml(body)}</b></${kind}>`;
      const once = formatStanza(read(wanted), from, to);
      const again = read(once);
      t.equal(again.name, kind);
      t.equal(formatStanza(again, again.from ?? '', again.to ?? ''), once);
    }),
    { numRuns: 200 },
  );
});
