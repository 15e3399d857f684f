import t from 'tap';
import {
  AddressRanges,
  addressKey,
  canonicalAddress,
  isAddressRange,
} from '../../../dist/config/types/address-ranges.js';

t.test('ranges as they are written', async (t) => {
  for (const good of ['192.0.2.1', '10.0.0.0/8', '0.0.0.0/0', '::1', 'fd00::/8', '2001:DB8::/128', 'unix']) {
    t.ok(isAddressRange(good), good);
  }
  for (const bad of [
    '',
    '10.0.0',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'fe80::1%lo',
    'host',
    '*',
    'UNIX',
  ]) {
    t.notOk(isAddressRange(bad), bad);
  }
});

t.test('an address is in a range whatever form it has', async (t) => {
  const ranges = new AddressRanges(['10.0.0.0/8', 'fd00::/8', '192.0.2.1']);
  for (const inside of ['10.1.2.3', '::ffff:10.1.2.3', 'fdff::1', '192.0.2.1']) t.ok(ranges.has(inside), inside);
  for (const outside of ['11.0.0.1', '::ffff:11.0.0.1', 'fe00::1', '192.0.2.2', '', 'host', '10.0.0']) {
    t.notOk(ranges.has(outside), outside);
  }
  t.ok(new AddressRanges(['unix']).has(''));
  t.notOk(new AddressRanges([]).has('127.0.0.1'));
});

t.test('one form for each address', async (t) => {
  t.strictSame(
    ['192.0.2.1', '::ffff:192.0.2.1', '2001:DB8:0:0::1', '::', 'fe80::1%lo', '1.2.3', ''].map(canonicalAddress),
    ['192.0.2.1', '192.0.2.1', '2001:db8::1', '::', undefined, undefined, undefined],
  );
});

t.test('clients are told apart by address, or by network of 64 bits', async (t) => {
  const keys = [
    '192.0.2.1',
    '::ffff:192.0.2.1',
    '2001:db8:1:2:3:4:5:6',
    '2001:db8:1:2::9',
    '2001:db8::1',
    '::1',
    'fe80::',
    '',
  ];
  t.strictSame(keys.map(addressKey), [
    ...['192.0.2.1', '192.0.2.1', '2001:db8:1:2::/64', '2001:db8:1:2::/64', '2001:db8:0:0::/64', '0:0:0:0::/64'],
    ...['fe80:0:0:0::/64', ''],
  ]);
});
