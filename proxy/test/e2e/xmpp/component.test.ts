/** XMPP clients of a real server, a real node as its component, and an origin that is asked over HTTP. */
import { verifyGripSig } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { ANSWER_BYTES_MAX } from '../../../dist/xmpp/answer.js';
import { openXmpp, type XmppClient, xml } from '../../kit/clients/xmpp-client.js';
import { type Holdfast, type HoldfastOptions, startHoldfast } from '../../kit/holdfast.js';
import { type Origin, type Script, startOrigin } from '../../kit/origins/origin.js';
import { type Prosody, PUSH, SECRET, startProsody } from '../../kit/prosody.js';
import { until } from '../../kit/until.js';

const TYPE = 'application/xmpp-stanza+xml';
const KEY = 'changeme';
const NEWS = `news@${PUSH}`;

/** Of a request: what the client says. */
const bodyOf = (xmlText: string) =>
  (/<body>(.*?)<\/body>/.exec(xmlText)?.[1] ?? '').replaceAll('&apos;', "'").replaceAll('&quot;', '"');

/** An origin that subscribes whoever writes to `filtered@…` with filters, and elsewhere takes commands: `join CHANNEL…`, `brief SECONDS CHANNEL`, `leave`, `status CODE`, `raw XML`, `remember TEXT`, `recall`; else it echoes. */
const commands: Script = (request, response, seen) => {
  request.on('end', () => {
    const [word = '', ...rest] = bodyOf(seen.body).split(' ');
    const text = rest.join(' ');
    const say = (what: string) => response.end(`<message type='chat'><body>${what}</body></message>`);
    response.setHeader('Content-Type', TYPE);
    if (seen.url.endsWith('/filtered'))
      response
        .writeHead(200, { 'Grip-Channel': 'room; filter=skip-self; filter=var-subst', 'Grip-Set-Meta': 'user=alice' })
        .end();
    else if (word === 'join') {
      response.setHeader('Grip-Channel', rest);
      say(`joined ${text}`);
    } else if (word === 'brief') {
      const [seconds = '', ...channels] = rest;
      response.setHeader('Grip-Hold', 'stream').setHeader('Grip-Expires', seconds).setHeader('Grip-Channel', channels);
      say(`joined ${text}`);
    } else if (word === 'leave') {
      response.setHeader('Grip-Hold', 'stream');
      say('left');
    } else if (word === 'status') response.writeHead(Number(text)).end('no');
    else if (word === 'raw') response.end(text.replaceAll('[', '<').replaceAll(']', '>').replaceAll('~', '&'));
    else if (word === 'huge') response.end(`<presence/>${' '.repeat(ANSWER_BYTES_MAX)}`);
    else if (word === 'remember') {
      response.setHeader('Set-Meta-Note', text);
      say('remembered');
    } else if (word === 'recall') say(`${request.headers['meta-note']} ${request.headers['grip-channel']}`);
    else if (word === '') response.end();
    else say(`you said ${word}`);
  });
};

interface System {
  readonly server: Prosody;
  readonly origin: Origin;
  readonly holdfast: Holdfast;
}

async function startSystem(t: Test, options: HoldfastOptions = {}): Promise<System> {
  const [server, origin] = await Promise.all([startProsody(t), startOrigin(t, commands)]);
  const holdfast = await startHoldfast(t, {
    routes: [`*,id=chat,xmpp=${PUSH},replace_beg=/xmpp ${origin.target}`],
    ...options,
    settings: {
      xmpp_component: server.component,
      xmpp_secret: SECRET,
      sig_iss: 'holdfast',
      sig_key: KEY,
      ...options.settings,
    },
  });
  await online(holdfast);
  return { server, origin, holdfast };
}

const times = (holdfast: Holdfast, what: string) => holdfast.child.stdout.split(what).length - 1;

/** Waits until the server has taken the component so many times. */
async function online(holdfast: Holdfast, count = 1): Promise<void> {
  await until('the component', () => times(holdfast, 'the server has taken the component') === count);
}

const item = (channel: string, content: string, more: object = {}) => ({
  channel,
  formats: { 'xmpp-stanza': { content, ...more } },
});
const message = (text: string) => `<message type='headline'><body>${text}</body></message>`;

const REFUSED = /type="error".*<(\S+) xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/;

/** The condition of the error that a client gets next. */
async function conditionFor(client: XmppClient): Promise<string> {
  const stanza = (await client.next()).toString();
  return REFUSED.exec(stanza)?.[1] ?? stanza;
}

t.test('clients of one node', async (t) => {
  const system = await startSystem(t);

  t.test('a client is subscribed by a message, gets what is published, and is let go', async (t) => {
    const { server, origin, holdfast } = system;
    const alice = await openXmpp(t, server, 'alice');
    const bob = await openXmpp(t, server, 'bob');
    await alice.say(NEWS, 'join sport weather', 'm1');
    t.equal(await alice.text(), 'joined sport weather');
    await bob.say(NEWS, 'join sport');
    t.equal(await bob.text(), 'joined sport');

    const [asked] = await origin.requests(2);
    t.match(asked, { method: 'POST', url: '/xmpp/news', headers: { host: PUSH, 'content-type': TYPE, accept: TYPE } });
    t.match(asked?.body, new RegExp(`^<message [^>]*from="${alice.jid}"`));
    t.match(asked?.headers['connection-id'], /^[0-9a-f-]{36}$/);
    t.ok(
      verifyGripSig(
        String(asked?.headers['grip-sig']),
        { kind: 'secret', secret: Buffer.from(KEY) },
        Date.now() / 1_000,
      ),
    );

    const tap = (await fetch(`${holdfast.control}/channels/sport/items`)).body?.getReader();
    const [receipt] = await holdfast.publish(item('sport', message('1:0')));
    t.match(receipt, { subscribers: 2 });
    const tapped = Buffer.from((await tap?.read())?.value ?? []).toString();
    t.match(tapped, /"formats":\{"xmpp-stanza":\{"content":"<message type='headline'>/);
    await tap?.cancel();
    for (const client of [alice, bob]) {
      const stanza = await client.next();
      t.match(stanza.attrs, { from: NEWS, to: client.jid, type: 'headline' });
      t.equal(stanza.getChildText('body'), '1:0');
    }
    await holdfast.publish(
      item('weather', message('rain &amp; wind')),
      item('sport', `<message from='ref@${PUSH}/x' to='bob@localhost'><body>2:0</body></message>`),
    );
    t.equal(await alice.text(), 'rain & wind');
    t.match((await alice.next()).attrs, { from: `ref@${PUSH}/x`, to: alice.jid });
    t.match((await bob.next()).attrs, { from: `ref@${PUSH}/x`, to: bob.jid });
    // In the name of another domain the server would let nothing pass.
    await holdfast.publish(item('weather', "<message from='admin@localhost'><body>sun</body></message>"));
    t.match((await alice.next()).attrs, { from: NEWS });

    const view = (await (await fetch(`${holdfast.control}/channels/sport`)).json()) as object;
    t.match(view, { subscribers: { xmpp: 2, ws: 0 } });
    const id = String(asked?.headers['connection-id']);
    const shown = (await (await fetch(`${holdfast.control}/connections/${id}`)).json()) as object;
    t.match(shown, {
      session: id,
      kind: 'xmpp',
      client: alice.jid,
      route: 'chat',
      channels: ['sport', 'weather'],
      items: 4,
    });

    await alice.say(NEWS, 'join weather');
    t.equal(await alice.text(), 'joined weather');
    t.equal((await origin.requests(3))[2]?.headers['grip-channel'], 'sport, weather', 'the channels of now go along');
    t.equal((await origin.requests(3))[2]?.headers['connection-id'], id);
    t.match(await holdfast.publish(item('sport', message('3:0'))), [{ subscribers: 1 }]);
    t.equal(await bob.text(), '3:0');

    await alice.send(xml('presence', { to: NEWS }));
    await alice.send(xml('presence', { to: NEWS, type: 'unavailable' }));
    await holdfast.holds('xmpp', 1);
    t.equal((await origin.requests(5))[4]?.headers['connection-id'], id, 'the origin learns of the end');
    await bob.say(NEWS, 'leave');
    t.equal(await bob.text(), 'left');
    await holdfast.holds('xmpp', 0);
    t.equal(await holdfast.metric('holdfast_holds_ended_total{kind="xmpp",reason="unavailable"}'), 1);
    t.equal(await holdfast.metric('holdfast_holds_ended_total{kind="xmpp",reason="origin-closed"}'), 1);
    t.equal(await holdfast.metric('holdfast_items_sent_total{kind="xmpp"}'), 7);
    t.equal(await holdfast.metric('holdfast_xmpp_stanzas_received_total{name="message"}'), 4);
    t.equal(await holdfast.metric('holdfast_xmpp_stanzas_answered_total{name="message"}'), 4);
  });

  t.test('a client that leaves without a word is let go when the server sends an item back', async (t) => {
    const { server, holdfast } = system;
    const alice = await openXmpp(t, server, 'alice');
    await alice.say(NEWS, 'join sport');
    await alice.text();
    await alice.stop();
    await holdfast.publish(item('sport', "<message type='chat'><body>1:0</body></message>"));
    await holdfast.holds('xmpp', 0);
    t.equal(await holdfast.metric('holdfast_holds_ended_total{kind="xmpp",reason="bounced"}'), 1);
  });

  t.test('queries are always answered, and a failure of the origin is an error for the client', async (t) => {
    const { server, holdfast } = system;
    const alice = await openXmpp(t, server, 'alice');
    const disco = () =>
      alice.query(xml('iq', { type: 'get', to: PUSH }, xml('query', 'http://jabber.org/protocol/disco#info')));
    await t.rejects(disco(), { message: /^service-unavailable/ });
    await alice.next();
    for (const [status, condition] of [
      [403, 'forbidden'],
      [404, 'item-not-found'],
      [418, 'not-acceptable'],
      [500, 'internal-server-error'],
    ] as const) {
      await alice.say(NEWS, `status ${status}`);
      t.equal(await conditionFor(alice), condition);
    }
    const malformed: [raw: string, reason: RegExp][] = [
      ['[message][body]x[/message]', /unexpected close tag/],
      ['[!DOCTYPE m [!ENTITY a "b"]][message]~a;[/message]', /document type|1:/],
      ["[message from='admin@localhost'/]", /none of push\.localhost/],
      ['[stream:error/]', /unbound namespace|no stanza/],
      ['[/stream:stream]', /unmatched|unexpected/],
    ];
    for (const [raw, reason] of malformed) {
      await alice.say(NEWS, `raw ${raw}`);
      t.equal(await conditionFor(alice), 'internal-server-error', raw);
      await holdfast.record(`${reason}`, ({ msg }) => reason.test(String(msg)));
    }
    await alice.say(NEWS, 'huge');
    t.equal(await conditionFor(alice), 'internal-server-error');
    await alice.say(`.@${PUSH}`, 'x');
    t.equal(await conditionFor(alice), 'jid-malformed');
    t.equal(await holdfast.metric('holdfast_xmpp_online'), 1, 'none of it has reached the server');
    await alice.say(NEWS, 'hello');
    t.equal(await alice.text(), 'you said hello');
  });

  t.test('stanzas of clients that are too much are refused, and the connection stays', async (t) => {
    const { server, origin, holdfast } = system;
    const alice = await openXmpp(t, server, 'alice');
    const deep = `${'<a>'.repeat(100)}${'</a>'.repeat(100)}`;
    await alice.write(`<message to='${NEWS}' id='deep'>${deep}</message>`);
    t.equal(await conditionFor(alice), 'policy-violation');
    await alice.say(NEWS, 'hello');
    t.equal(await alice.text(), 'you said hello');
    t.equal(await holdfast.metric('holdfast_xmpp_stanzas_refused_total{reason="deep"}'), 1);
    // It comes in several reads, which take characters apart.
    const long = '€'.repeat(40_000);
    await alice.say(NEWS, `raw ${long}`);
    t.equal(await conditionFor(alice), 'internal-server-error');
    t.ok(origin.seen.at(-1)?.body.includes(`<body>raw ${long}</body>`));
  });

  t.test('a publish of XML that is no stanza is refused with the reason; entity bombs are harmless', async (t) => {
    const { server, holdfast } = system;
    const alice = await openXmpp(t, server, 'alice');
    await alice.say(NEWS, 'join sport');
    await alice.text();
    const levels = Array.from({ length: 20 }, (_, n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(10)}">`).join('');
    const bomb = `<!DOCTYPE m [<!ENTITY e0 "lol">${levels}]><message><body>&e20;</body></message>`;
    for (const [content, reason] of [
      [
        '<message><body>x</message>',
        "'xmpp-stanza' contains 'content' that is not a stanza: 1:26: unexpected close tag.",
      ],
      ['</stream:stream>', "'xmpp-stanza' contains 'content' that is not a stanza: "],
      [bomb, "'xmpp-stanza' contains 'content' that is not a stanza: "],
    ] as const)
      await t.rejects(
        holdfast.publish(item('sport', content)),
        new RegExp(`answered 400: .*${reason.replace(/[.:']/g, '.')}`),
      );
    // What is odd but allowed passes the server too.
    const nested = `${'<a>'.repeat(62)}${'</a>'.repeat(62)}`;
    const odd = `<message xmlns='jabber:client' id="'&#9;>" xmlns:x='urn:x'><body><![CDATA[<&]]></body><x:y x:z='1'/>${nested}</message>`;
    await holdfast.publish(
      item('sport', odd),
      item('sport', message('x'.repeat(200_000))),
      item('sport', message('1:0')),
    );
    t.equal(await alice.text(), '<&');
    t.equal(await alice.text(), 'x'.repeat(200_000));
    t.equal(await alice.text(), '1:0');
    t.equal(await holdfast.metric('holdfast_xmpp_online'), 1);
    await alice.say(NEWS, 'leave');
    t.equal(await alice.text(), 'left');
  });

  t.test('an origin keeps meta at a client, and filters look at what it has set', async (t) => {
    const { server, holdfast } = system;
    const alice = await openXmpp(t, server, 'alice');
    await alice.say(NEWS, 'remember milk');
    t.equal(await alice.text(), 'remembered');
    await alice.say(NEWS, 'join sport');
    t.equal(await alice.text(), 'joined sport');
    await alice.say(NEWS, 'recall');
    t.equal(await alice.text(), 'milk sport');
    await alice.say(NEWS, 'leave');
    await alice.text();
    await alice.say(NEWS, 'recall');
    t.equal(await alice.text(), 'milk undefined', 'on no channel meta stays');

    await alice.say(`filtered@${PUSH}`, 'x');
    await holdfast.holds('xmpp', 2);
    const publish = (content: string, meta: object) => holdfast.publish({ ...item('room', content), meta });
    await until('subscribed', async () => (await publish(message('to %(user)s'), {}))[0]?.subscribers === 1);
    await publish(message('own'), { sender: 'alice' });
    await publish(message('last'), {});
    t.equal(await alice.text(), 'to alice');
    t.equal(await alice.text(), 'last');
    for (const to of [NEWS, `filtered@${PUSH}`]) await alice.send(xml('presence', { to, type: 'unavailable' }));
    await holdfast.holds('xmpp', 0);
  });

  t.test('a client is on a pattern until its time is over', async (t) => {
    const { server, holdfast } = system;
    const alice = await openXmpp(t, server, 'alice');
    await alice.say(NEWS, 'join goals.*;pattern other');
    t.equal(await alice.text(), 'joined goals.*;pattern other');
    await holdfast.publish(item('goals.home', message('1:0')), item('goal', message('none')));
    t.equal(await alice.text(), '1:0');
    await alice.say(NEWS, 'recall');
    t.match(await alice.text(), /other, goals\.\*; pattern$/);
    await alice.say(NEWS, 'brief 1 goals.away');
    t.equal(await alice.text(), 'joined 1 goals.away');
    const [receipt] = await holdfast.publish(item('goals.home', message('2:0')), item('goals.away', message('2:1')));
    t.match(receipt, { subscribers: 0 });
    t.equal(await alice.text(), '2:1');
    t.match((await alice.next()).attrs, { type: 'unavailable', from: NEWS });
  });

  t.test('a client learns from its end: an item closes, an operator disconnects, the node goes down', async (t) => {
    const { server, holdfast, origin } = system;
    const [alice, bob] = await Promise.all([openXmpp(t, server, 'alice'), openXmpp(t, server, 'bob')]);
    const join = async (client: XmppClient) => {
      await client.say(NEWS, 'join sport');
      t.equal(await client.text(), 'joined sport');
    };
    const gone = { from: NEWS, type: 'unavailable' };
    await join(alice);
    await holdfast.publish(item('sport', '', { action: 'close' }));
    t.match((await alice.next()).attrs, gone);
    await join(alice);
    const id = String(origin.seen.at(-1)?.headers['connection-id']);
    t.equal((await fetch(`${holdfast.control}/connections/${id}`, { method: 'DELETE' })).ok, true);
    t.match((await alice.next()).attrs, gone);
    await join(bob);
    await holdfast.child.stop();
    t.match((await bob.next()).attrs, gone);
  });
});

t.test('a component and its server', async (t) => {
  const system = await startSystem(t);

  t.test('the server restarts: the component comes back, and clients that come back are served', async (t) => {
    const { server, holdfast } = system;
    for (const [n, end] of (['stop', 'kill'] as const).entries()) {
      const alice = await openXmpp(t, server, 'alice', end);
      await alice.say(NEWS, 'join sport');
      t.equal(await alice.text(), 'joined sport');
      await server[end]();
      await until('no component', () => times(holdfast, 'no connection for the component') > n);
      t.equal(await holdfast.metric('holdfast_xmpp_online'), 0);
      await server.start();
      await online(holdfast, n + 2);
      const again = await openXmpp(t, server, 'alice', end);
      await holdfast.publish(item('sport', message(`after ${end}`)));
      t.equal(await again.text(), `after ${end}`, 'the same address is still subscribed');
      await again.send(xml('presence', { to: NEWS, type: 'unavailable' }));
      await again.say(NEWS, 'leave');
      await again.text();
    }
    await holdfast.record('why', ({ msg }) =>
      /XMPP: no connection for the component push\.localhost: /.test(String(msg)),
    );
  });

  t.test('a component that the server does not take says why, and what to look at', async (t) => {
    const { server } = system;
    for (const [xmpp_component, said] of [
      [server.component, /not-authorized.*: is xmpp_secret that of the server\?/],
      [server.component.replace('push', 'pull'), /host-unknown.*: has the server this component\?/],
    ] as const) {
      const node = await startHoldfast(t, { routes: ['* test'], settings: { xmpp_component, xmpp_secret: 'wrong' } });
      await node.record(`${said}`, ({ level, msg }) => level === 'warn' && said.test(String(msg)));
      t.equal(await node.metric('holdfast_xmpp_online'), 0);
      t.notMatch(await node.metrics(), /holdfast_faults_total\{where="process"\} [1-9]/);
      await node.child.stop();
    }
  });

  t.test('of two nodes one has the component; the other takes it over when the first goes', async (t) => {
    const { server, origin, holdfast } = system;
    const settings = { xmpp_component: server.component, xmpp_secret: SECRET };
    const other = await startHoldfast(t, { routes: [`*,xmpp=${PUSH} ${origin.target}`], settings });
    await other.record('conflict', ({ msg }) => /conflict .*another node has the component/.test(String(msg)));
    await holdfast.child.stop();
    await online(other);
    const alice = await openXmpp(t, server, 'alice');
    await alice.say(NEWS, 'hello');
    t.equal(await alice.text(), 'you said hello');
  });
});

t.test('with workers one of them has the component, and items reach it', async (t) => {
  const { server, holdfast } = await startSystem(t, { settings: { workers: 2, xmpp_subscribers_max: 1 } });
  const alice = await openXmpp(t, server, 'alice');
  await alice.say(NEWS, 'join sport');
  t.equal(await alice.text(), 'joined sport');
  await holdfast.publish(item('sport', message('1:0')));
  t.equal(await alice.text(), '1:0');

  const bob = await openXmpp(t, server, 'bob');
  await bob.say(NEWS, 'join sport');
  t.equal(await conditionFor(bob), 'resource-constraint', 'there may be one subscription');
  t.equal(await holdfast.metric('holdfast_xmpp_stanzas_refused_total{reason="subscribers"}'), 1);
  await bob.say(NEWS, 'hello');
  t.equal(await bob.text(), 'you said hello');
});
