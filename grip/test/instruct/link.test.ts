import fc from 'fast-check';
import t from 'tap';
import { parseLinks } from '../../dist/instruct/link.js';
import { messageOf, valueOrGripError } from '../grip-error.js';

t.test('a next link has a URL and a timeout of 120 seconds unless it says otherwise', async (t) => {
  t.same(parseLinks(['</items?after=41>; rel=next']), { next: { uri: '/items?after=41', timeout: 120 } });
  t.same(parseLinks(['<http://h/x>; REL="next"; timeout=0']), { next: { uri: 'http://h/x', timeout: 0 } });
});

t.test('a gone link has a URL only', async (t) => {
  t.same(parseLinks(['</gone>; rel=gone; timeout=x']), { gone: { uri: '/gone' } });
});

t.test('the last of each rel wins; other rels are ignored', async (t) => {
  const header = '</a>; rel=next, </b>; rel=gone; x=y, </c>; rel=prev, </d>; rel=next; timeout=5';
  t.same(parseLinks([header, '</e>; rel=gone']), { next: { uri: '/d', timeout: 5 }, gone: { uri: '/e' } });
});

t.test('elements without parameters or with unparsable ones are ignored', async (t) => {
  t.same(parseLinks(['no-brackets, </a>', '</b>; rel="next']), {});
  t.same(parseLinks([]), {});
});

t.test('what is wrong with a link is an error of the origin', async (t) => {
  const table: [string, string][] = [
    ['no-brackets; rel=next', 'failed to parse Grip-Link value'],
    ['no-brackets; rel=other', 'failed to parse Grip-Link value'],
    ['<>; rel=next', 'failed to parse Grip-Link value'],
    ['</a; rel=next', 'failed to parse Grip-Link value'],
    ['<http://[>; rel=next', 'Grip-Link contains invalid link'],
    ['<http://h:99999/>; rel=gone', 'Grip-Link contains invalid link'],
    ['</a>; rel=next; timeout=soon', 'failed to parse Grip-Link timeout value'],
    ['</a>; rel=next; timeout=', 'failed to parse Grip-Link timeout value'],
    ['</a>; rel=next; timeout=-1', 'Grip-Link timeout has invalid value'],
  ];
  for (const [value, message] of table) {
    t.equal(
      messageOf('ERR_GRIP_INSTRUCT', () => parseLinks([value])),
      message,
      value,
    );
  }
});

t.test('arbitrary bytes yield links that resolve, or a GripError', async () => {
  const syntax = fc.array(
    fc.constantFrom('<', '>', '/a', 'http://', '[', '; rel=next', '; rel=gone', ',', '"', '; timeout='),
  );
  const bytes = fc.uint8Array().map((array) => Buffer.from(array).toString('latin1'));
  fc.assert(
    fc.property(
      fc.oneof(
        syntax.map((parts) => parts.join('')),
        bytes,
      ),
      (value) => {
        const links = valueOrGripError('ERR_GRIP_INSTRUCT', () => parseLinks([value]));
        if (links?.next) new URL(links.next.uri, 'http://localhost/');
        if (links?.gone) new URL(links.gone.uri, 'http://localhost/');
      },
    ),
  );
});
