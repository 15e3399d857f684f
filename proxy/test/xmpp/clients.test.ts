/** How many subscriptions there may be, and what the answers of origins say. */

import { parseStanza } from '@holdfast/grip';
import t from 'tap';
import { parseAddress } from '../../dist/xmpp/address.js';
import { ANSWER_STANZAS_MAX, readAnswer } from '../../dist/xmpp/answer.js';
import { ACCOUNT_MAX, XmppClients } from '../../dist/xmpp/clients.js';
import { conditionOf, errorFor } from '../../dist/xmpp/errors.js';
import type { XmppSubscriber } from '../../dist/xmpp/subscriber.js';

const address = (text: string) => parseAddress(text) as NonNullable<ReturnType<typeof parseAddress>>;
const subscriber = (from: string, to = 'news@p.example') =>
  ({ client: { from: address(from), to: address(to) } }) as XmppSubscriber;

t.test('one account may have so many subscriptions, and all together', async (t) => {
  const clients = new XmppClients(ACCOUNT_MAX + 1);
  const all = Array.from({ length: ACCOUNT_MAX }, (_, n) => subscriber(`a@x/${n}`));
  for (const one of all) {
    t.equal(clients.admits(address('a@x/new')), true);
    clients.add(one);
  }
  t.equal(clients.admits(address('a@x/new')), false);
  t.equal(clients.admits(address('b@x/1')), true);
  clients.add(subscriber('b@x/1'));
  t.equal(clients.admits(address('c@x/1')), false);
  clients.delete((all[0] as XmppSubscriber).client);
  clients.delete((all[0] as XmppSubscriber).client);
  t.equal(clients.admits(address('c@x/1')), true);
  t.equal(clients.admits(address('a@x/new')), true);
  t.equal(clients.find(address('a@x/1'), address('news@p.example')), all[1]);
  t.equal(clients.find(address('a@x/1'), address('sport@p.example')), undefined);
});

const whole = (headers: readonly string[], body = '', status = 200) => ({
  head: { status, reason: 'OK', headers: [...headers] },
  body: Buffer.from(body),
});
const TYPE = ['Content-Type', 'Application/XMPP-Stanza+xml; charset=utf-8'];

t.test('an answer has stanzas, and names all channels or says nothing of them', async (t) => {
  const names = (headers: string[]) => readAnswer(whole(headers), true).channels?.map(({ name }) => name);
  t.equal(names([]), undefined);
  t.equal(names(['Grip-Set-Meta', 'user=a']), undefined);
  t.strictSame(names(['Grip-Channel', 'a, b; filter=skip-self']), ['a', 'b']);
  t.strictSame(names(['Grip-Hold', 'stream', 'Grip-Channel', 'a']), ['a']);
  t.strictSame(names(['Grip-Hold', 'stream']), []);
  t.equal(readAnswer(whole(['Grip-Channel', 'a']), false).channels, undefined);
  t.equal(readAnswer(whole(TYPE, '<presence/> <iq/>'), true).stanzas.length, 2);
  t.equal(readAnswer(whole([], '', 204), true).stanzas.length, 0);
});

t.test('what an answer cannot be is an error', async (t) => {
  const many = '<presence/>'.repeat(ANSWER_STANZAS_MAX);
  t.equal(readAnswer(whole(TYPE, many), true).stanzas.length, ANSWER_STANZAS_MAX);
  const read =
    (headers: readonly string[], body = '') =>
    () =>
      readAnswer(whole(headers, body), true);
  t.throws(read(TYPE, `${many}<presence/>`), { code: 'ERR_GRIP_STANZA', message: 'more than 100 stanzas' });
  t.throws(read(['Content-Type', 'text/html'], 'x'), { code: 'ERR_ORIGIN_MALFORMED' });
  t.throws(read([], '<presence/>'), { code: 'ERR_ORIGIN_MALFORMED' });
  t.throws(read(['Grip-Hold', 'response']), { code: 'ERR_GRIP_INSTRUCT' });
  t.throws(read(['Grip-Channel', '; filter=x']), { code: 'ERR_GRIP_INSTRUCT' });
});

t.test('errors go to those who wait for an answer, and to nobody else', async (t) => {
  const error = (xml: string) =>
    errorFor(parseStanza(Buffer.from(xml), 'ERR_GRIP_STANZA'), 'p.example', 'a@x', 'forbidden');
  const inner = "<error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
  t.equal(
    error("<message id='&apos;1' type='chat' xml:lang='en'><body/></message>"),
    `<message from='p.example' to='a@x' type='error' id='&apos;1'>${inner}</message>`,
  );
  t.equal(error("<iq type='set' id='2'/>"), `<iq from='p.example' to='a@x' type='error' id='2'>${inner}</iq>`);
  for (const xml of ["<message type='error'/>", "<iq type='result'/>", "<iq type='error'/>", '<presence/>'])
    t.equal(error(xml), undefined, xml);
  t.strictSame([302, 401, 418, 500, 504].map(conditionOf), [
    'internal-server-error',
    'not-authorized',
    'not-acceptable',
    'internal-server-error',
    'remote-server-timeout',
  ]);
});
