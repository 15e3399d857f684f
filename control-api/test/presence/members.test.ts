import t from 'tap';
import {
  type MemberRow,
  mergeAnswers,
  PRESENCE_MEMBERS_MAX,
  readMembersView,
  sumMembersViews,
} from '../../dist/index.js';

const row = (user: string, since: string, more: Partial<MemberRow> = {}): MemberRow => ({
  user,
  kind: 'ws',
  since,
  connections: 1,
  ...more,
});
const view = (...members: readonly MemberRow[]) => ({
  connections: members.reduce((sum, { connections }) => sum + connections, 0),
  members,
});

t.test(
  'a user in several views is one member: the oldest connection shows, and connections are added up',
  async (t) => {
    const old = row('a', '2026-01-01T00:00:00.000Z', { kind: 'stream', info: 'old', connections: 2 });
    const later = row('a', '2026-01-02T00:00:00.000Z', { info: 'later' });
    const other = row('b', '2026-01-01T12:00:00.000Z');
    const same = row('c', '2026-01-01T12:00:00.000Z');
    const sum = { connections: 5, members: [{ ...old, connections: 3 }, other, same] };
    t.strictSame(sumMembersViews([view(old), view(same, later, other)]), sum);
    t.strictSame(sumMembersViews([view(later, same, other), view(old)]), sum);
    t.strictSame(mergeAnswers({ about: 'members', name: 'x' }, [view(old), undefined, view(same, later, other)]), sum);
    t.strictSame(sumMembersViews([]), { connections: 0, members: [] });
  },
);

t.test('beyond the limit there are counts only, in one view or in several', async (t) => {
  const rows = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => row(`u${from + i}`, '2026-01-01T00:00:00.000Z'));
  const full = view(...rows(0, PRESENCE_MEMBERS_MAX));
  t.equal(sumMembersViews([full, full]).members?.length, PRESENCE_MEMBERS_MAX);
  t.strictSame(sumMembersViews([full, view(row('one', '2026'))]), { connections: PRESENCE_MEMBERS_MAX + 1 });
  t.strictSame(sumMembersViews([{ connections: 5_000 }, view(row('one', '2026'))]), { connections: 5_001 });
});

t.test('what is no view of members is not read as one', async (t) => {
  const good = view(row('a', '2026', { info: 'x' }));
  t.strictSame(readMembersView(JSON.parse(JSON.stringify(good))), good);
  t.strictSame(readMembersView({ connections: 7, more: 1 }), { connections: 7 });
  const faulty = { user: 1, kind: 'fax', since: 5, connections: -1 };
  for (const [name, value] of Object.entries(faulty)) {
    t.equal(readMembersView({ connections: 1, members: [{ ...row('a', '2026'), [name]: value }] }), undefined, name);
  }
  const tooMany = Array.from({ length: PRESENCE_MEMBERS_MAX + 1 }, () => row('a', '2026'));
  for (const answer of [null, undefined, 1, 'x', {}, { connections: '1' }, { connections: 1, members: {} }]) {
    t.equal(readMembersView(answer), undefined);
  }
  t.equal(readMembersView({ connections: 1, members: [null] }), undefined);
  t.equal(readMembersView({ connections: 1, members: tooMany }), undefined);
});
