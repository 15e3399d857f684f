/** What an origin means by a pattern, and which it may not have. */
import t from 'tap';
import { patternOf } from '../../dist/routes/channel-pattern.js';

const limited: string[] = [];
const events = { limited: (limit: string) => void limited.push(limit) };
const naming = {
  prefix: '',
  reserved: '',
  channelNameMax: Number.POSITIVE_INFINITY,
  patternSeparator: '/',
  patternAll: false,
};

t.test('the prefix of the route goes before it, and is a part of what all names begin with', async (t) => {
  t.match(patternOf({ ...naming, prefix: 't1-' }, 'news/*', events), { text: 't1-news/*', prefix: 't1-news/' });
  t.match(patternOf({ ...naming, prefix: 't1-' }, '*', events), { text: 't1-*', prefix: 't1-' });
});

t.test('a pattern for all items of the system is refused, unless it is allowed', async (t) => {
  for (const text of ['*', '*/sport']) {
    t.match(patternOf(naming, text, events), "is refused: it begins with '*'");
    t.match(patternOf({ ...naming, patternAll: true }, text, events), { text, prefix: '' });
  }
});

t.test('without a prefix nothing with the separator of prefixes is meant', async (t) => {
  const route = { ...naming, reserved: '|' };
  t.match(patternOf(route, 't1|*', events), 'contains the prefix_separator');
  const bare = patternOf(route, 't1*', events);
  const other = patternOf(naming, 't1*', events);
  t.match(bare, { without: '|' });
  t.not(typeof bare === 'object' && bare.key, typeof other === 'object' && other.key);
});

t.test('what is no pattern, or too long a name, is refused with the reason', async (t) => {
  t.match(patternOf(naming, 'a*b', events), "has a '*' in another place");
  t.match(patternOf({ ...naming, prefix: 'a*' }, 'b*', events), "the prefix of its route has a '*'");
  t.strictSame(limited, []);
  t.match(patternOf({ ...naming, channelNameMax: 4 }, 'news*', events), 'is longer than 4 bytes');
  t.strictSame(limited, ['channel_name_max']);
});
