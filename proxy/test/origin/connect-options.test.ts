/** Which addresses the targets and links of an untrusted origin may have. */
import t from 'tap';
import { guardedLookup, isPrivate } from '../../dist/origin/connect-options.js';

/** First and last address of each block of the IANA registries that is not globally reachable, and of multicast. */
const REFUSED: readonly (readonly [string, ...string[]])[] = [
  ['0.0.0.0/8', '0.0.0.0', '0.255.255.255'],
  ['10.0.0.0/8', '10.0.0.0', '10.255.255.255'],
  ['100.64.0.0/10', '100.64.0.0', '100.127.255.255'],
  ['127.0.0.0/8', '127.0.0.0', '127.255.255.255'],
  ['169.254.0.0/16', '169.254.0.0', '169.254.169.254', '169.254.255.255'],
  ['172.16.0.0/12', '172.16.0.0', '172.31.255.255'],
  ['192.0.0.0/24', '192.0.0.0', '192.0.0.170', '192.0.0.255'],
  ['192.0.2.0/24', '192.0.2.0', '192.0.2.255'],
  ['192.88.99.0/24', '192.88.99.0', '192.88.99.255'],
  ['192.168.0.0/16', '192.168.0.0', '192.168.255.255'],
  ['198.18.0.0/15', '198.18.0.0', '198.19.255.255'],
  ['198.51.100.0/24', '198.51.100.0', '198.51.100.255'],
  ['203.0.113.0/24', '203.0.113.0', '203.0.113.255'],
  ['224.0.0.0/4', '224.0.0.0', '239.255.255.255'],
  ['240.0.0.0/4', '240.0.0.0', '255.255.255.255'],
  ['::/96', '::', '::1', '::7f00:1', '::808:808', '::8.8.8.8', '0::8.8.8.8'],
  ['::ffff:0:0/96, of private IPv4', '::ffff:127.0.0.1', '::ffff:a00:1', '0:0:0:0:0:FFFF:A9FE:A9FE'],
  ['::ffff:0:0:0/96', '::ffff:0:8.8.8.8'],
  ['64:ff9b::/96, of private IPv4', '64:ff9b::7f00:1', '64:ff9b::10.0.0.1', '64:ff9b::', '64:ff9b::6440:1'],
  ['64:ff9b:1::/48', '64:ff9b:1::808:808', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
  ['100::/64', '100::', '100::ffff:ffff:ffff:ffff'],
  ['100:0:0:1::/64', '100:0:0:1::1'],
  ['2001::/23', '2001::', '2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001:2::1', '2001:10::1', '2001:1ff:ffff::1'],
  ['2001:db8::/32', '2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['2002::/16, of private IPv4', '2002:7f00:1::1', '2002:a00:1::', '2002:c0a8:101::', '2002::'],
  ['3fff::/20', '3fff::', '3fff:fff:ffff::'],
  ['5f00::/16', '5f00::1'],
  ['fc00::/7', 'fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['fe80::/10', 'fe80::', 'febf:ffff::1', 'fe80::1%eth0', 'fe80::1%1'],
  ['fec0::/10', 'fec0::', 'feff:ffff::1'],
  ['ff00::/8', 'ff02::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['what is not assigned', '200::1', '4000::1', 'e000::1', '1::1'],
  ['what is no address', '', 'localhost', '256.0.0.1', '8.8.8', '0x08080808', '::g'],
];

t.test('blocks that are not globally reachable are refused, from end to end', async (t) => {
  for (const [block, ...addresses] of REFUSED) {
    for (const address of addresses) {
      t.ok(isPrivate(address), `${address || 'nothing'} (${block})`);
    }
  }
});

t.test('what lies beside them is not', async (t) => {
  for (const address of [
    ...['1.0.0.0', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0'],
    ...['169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '191.255.255.255', '192.0.1.0', '192.0.3.0'],
    ...['192.88.98.255', '192.88.100.0', '192.167.255.255', '192.169.0.0', '198.17.255.255', '198.20.0.0'],
    ...['198.51.99.255', '198.51.101.0', '203.0.112.255', '203.0.114.0', '223.255.255.255', '192.31.196.1'],
    ...[
      '192.52.193.1',
      '192.175.48.1',
      '2001:200::',
      '2001:db7::1',
      '2001:db9::',
      '2606:4700::1111',
      '2620:4f:8000::1',
    ],
    ...['3ffe::1', '3fff:1000::', '2003::', '::ffff:8.8.8.8', '64:ff9b::808:808', '2002:808:808::1'],
  ]) {
    t.notOk(isPrivate(address), address);
  }
});

t.test('a name is judged by every address that it resolves to, in the look-up for the connection itself', async (t) => {
  for (const name of ['localhost', '127.1', '0x7f.0.0.1', '2130706433', '0177.0.0.1', '[::1]']) {
    const error = await new Promise((resolve) => guardedLookup(name, { all: true }, (error) => resolve(error)));
    t.match(error, name.startsWith('[') ? Error : { code: 'ERR_ORIGIN_BLOCKED' }, name);
  }
});
