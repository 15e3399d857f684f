import t from 'tap';
import { planFilters, runFilters } from '../../dist/index.js';

const none = Buffer.alloc(0);

function delivered(
  filter: string,
  user: string | undefined,
  pubMeta: Record<string, string>,
  channels = ['a'],
): boolean {
  const subMeta = new Map(user === undefined ? [] : [['user', user]]);
  const isSubscribed = (channel: string) => channels.includes(channel);
  return (
    runFilters(planFilters([filter]), none, { subMeta, pubMeta, prevIds: new Map(), isSubscribed }).result === 'send'
  );
}

t.test('skip-self drops what the connection’s user sent, and nothing else', async (t) => {
  t.notOk(delivered('skip-self', 'alice', { sender: 'alice' }));
  t.ok(delivered('skip-self', 'alice', { sender: 'bob' }));
  t.ok(delivered('skip-self', 'alice', { sender: 'Alice' }));
  t.ok(delivered('skip-self', 'alice', { sender: 'alice ' }));
  t.ok(delivered('skip-self', 'alice', {}));
  t.ok(delivered('skip-self', undefined, { sender: 'alice' }));
});

t.test('skip-self: an empty sender is no user, even where the user is empty too', async (t) => {
  t.ok(delivered('skip-self', '', { sender: '' }));
  t.ok(delivered('skip-self', undefined, { sender: '' }));
});

t.test('skip-users drops what is not for a user in the list, with spaces around names', async (t) => {
  for (const list of ['carol', 'alice,carol', ' carol ,bob', 'a,,carol', 'a,\tcarol\n']) {
    t.notOk(delivered('skip-users', 'carol', { skip_users: list }), list);
  }
  for (const list of ['', ',', 'alice,bob', 'carola', 'my carol', 'Carol', 'car,ol']) {
    t.ok(delivered('skip-users', 'carol', { skip_users: list }), list);
  }
});

t.test('skip-users leaves connections without a user alone', async (t) => {
  t.ok(delivered('skip-users', undefined, { skip_users: 'carol' }));
  t.ok(delivered('skip-users', '', { skip_users: 'carol,' }));
  t.ok(delivered('skip-users', 'carol', {}));
});

t.test('require-sub drops what only subscribers of another channel may see', async (t) => {
  t.notOk(delivered('require-sub', undefined, { require_sub: 'b' }, ['a']));
  t.ok(delivered('require-sub', undefined, { require_sub: 'b' }, ['a', 'b']));
  t.ok(delivered('require-sub', undefined, { require_sub: '' }, ['a']));
  t.ok(delivered('require-sub', undefined, {}, ['a']));
});

t.test('skip-users: a long list is taken apart once, however many connections look at it', async (t) => {
  const looks = (size: number) => {
    const pubMeta = { skip_users: Array.from({ length: 20_000 }, (_, i) => `u${i}`).join(',') };
    const [plan, prevIds] = [planFilters(['skip-users']), new Map()];
    const context = { subMeta: new Map([['user', 'u1']]), pubMeta, prevIds, isSubscribed: () => false };
    return () => {
      for (let i = 0; i < size; i++) t.equal(runFilters(plan, none, context).result, 'drop');
    };
  };
  const time = (size: number) => {
    const work = looks(size);
    const since = performance.now();
    work();
    return performance.now() - since;
  };
  const least = (size: number) => Math.min(...Array.from({ length: 5 }, () => time(size)));
  t.ok(least(50) < 10 * least(1), 'fifty looks cost little more than one');
});
