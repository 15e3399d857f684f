/** A session over HTTP by itself, where the rest of the proxy does not come to what is tried. */
import t from 'tap';
import { growth, LINEAR_MAX } from '../../../grip/dist-test/growth.js';
import { AllowedOrigins } from '../../dist/config/types/allowed-origins.js';
import { HttpSession } from '../../dist/sockjs/http-session.js';
import { Receiver, type TransportForm, transportForm } from '../../dist/sockjs/receiver.js';
import { SockJsResponse } from '../../dist/sockjs/sockjs-response.js';
import { ManualClock } from '../kit/manual-clock.js';
import { FakeResponse } from './fake-response.js';
import { RecordingOwner } from './recorder.js';

const XHR = transportForm('xhr', undefined) as TransportForm;

/** A session that a poll has opened. */
function start() {
  let isForgotten = false;
  const forget = () => {
    isForgotten = true;
  };
  const session = new HttpSession({ clock: new ManualClock(), random: () => 0, forget });
  const owner = new RecordingOwner();
  const receiver = () => {
    const response = new FakeResponse();
    return { response, receiver: new Receiver(new SockJsResponse(response, [], AllowedOrigins.any, () => {}), XHR) };
  };
  session.open(receiver().receiver);
  session.setHandler(owner);
  const poll = () => {
    const asked = receiver();
    session.receive(asked.receiver);
    return asked.response;
  };
  return { session, owner, poll, isForgotten: () => isForgotten };
}

t.test('cutting a session that is closing leaves the close frame to those who have begun to read it', async (t) => {
  const polled = start();
  polled.session.close(1012, Buffer.from('down'));
  polled.poll();
  polled.session.abort();
  t.equal(polled.poll().text, 'c[1012,"down"]\n');
  t.notOk(polled.isForgotten());
  const unpolled = start();
  unpolled.session.close(1012, Buffer.from('down'));
  unpolled.session.abort();
  t.ok(unpolled.isForgotten());
});

t.test('an owner that closes on a message gets no more of them', async (t) => {
  const { session, owner } = start();
  owner.react = () => session.close(4001, Buffer.from('enough'));
  let outcome: unknown;
  session.take([Buffer.from('a'), Buffer.from('b')], (how) => {
    outcome = how;
  });
  t.strictSame(outcome, { kind: 'closed', frame: 'c[4001,"enough"]' });
  t.strictSame(owner.events, ['text a']);
});

t.test('the work for the messages of one request grows no faster than their number', async (t) => {
  const ratio = await growth(12_500, (size) => {
    const session = new HttpSession({ clock: new ManualClock(), random: () => 0, forget: () => {} });
    const over = { setHandler() {}, writeHead() {}, write: () => true, answer() {}, end() {}, abort() {}, waiting: 0 };
    session.open(new Receiver(over as unknown as SockJsResponse, XHR));
    let received = 0;
    const owner = { onMessage: () => void received++, onClose() {}, onLost() {}, onWritable() {} };
    session.setHandler(owner);
    const messages = Array.from({ length: size }, () => Buffer.alloc(0));
    return () => {
      session.take(messages, () => t.equal(received, size));
      session.abort();
    };
  });
  t.ok(ratio < LINEAR_MAX, `${ratio}`);
});
