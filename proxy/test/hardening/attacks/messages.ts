/** Attacks by single requests, answers, names and settings. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { acceptFor, encodeFrame } from '../frames.js';
import { tokenPath } from '../hostile-origin.js';
import {
  type Attack,
  answer,
  ask,
  begin,
  newToken,
  open,
  publish,
  request,
  subscribed,
  type Target,
  upgrade,
} from './attack.js';

const utf8 = (text: string) => Buffer.from(text).toString('latin1');

/** Reasons that are no latin-1 text, or more than a reason. */
const REASONS = [
  utf8('Trouvé'),
  'Trouv\xe9',
  '\x01\x02',
  'a\x7f',
  utf8('\u010d\u010aSet-Cookie: a=b'),
  utf8('\u2028'),
  'a\rSet-Cookie: a=b',
];
const STATUSES = ['0', '00', '99', '100', '102', '199', '600', '999', '1000', '20', 'abc', ''];

/** Answers one request with these bytes, as a client sees it. */
async function answered(
  target: Target,
  bytes: Buffer,
  prefix: string,
  sent: (path: string) => string,
  item?: object,
): Promise<void> {
  const token = newToken();
  target.origin.plan(token, {
    answer: () => [Buffer.from(bytes.toString('latin1').replaceAll('TOKEN', token), 'latin1'), 'fin'],
  });
  const asking = ask(target.node.port('clients'), sent(tokenPath(prefix, token)), 400);
  if (item !== undefined) {
    await subscribed(target, token);
    await publish(target, [{ channel: token, ...item }]);
  }
  await asking;
  target.origin.forget(token);
}

async function together(tasks: readonly Promise<unknown>[]): Promise<void> {
  await Promise.all(tasks);
}

export const messageAttacks: readonly Attack[] = [
  {
    name: 'targets that are no URL, at the built-in test target',
    run: async ({ node }) => {
      for (const path of [
        '//',
        '///',
        '//x:99999',
        '//[',
        '//\\',
        '//@:',
        '//%',
        '/stream?channel=%ff',
        '/response?channel=%00',
      ]) {
        await ask(node.port('clients'), request(path), 150);
        await ask(node.port('clients'), upgrade(path), 150);
      }
    },
  },
  {
    name: 'reasons that are none, in all that an origin answers',
    run: async (target) => {
      const heads = REASONS.flatMap((reason) => [`200 ${reason}`, `403 ${reason}`]);
      await together(heads.map((head) => answered(target, answer(`HTTP/1.1 ${head}`, 'x'), '/f/', request)));
      await together(heads.map((head) => answered(target, answer(`HTTP/1.1 ${head}`, 'x'), '/f/', upgrade)));
      await together(
        heads.map((head) =>
          answered(target, answer(`HTTP/1.1 ${head}\r\nContent-Type: text/plain`, 'x'), '/o/', upgrade),
        ),
      );
      await together(
        heads.map((head) =>
          answered(
            target,
            answer(`HTTP/1.1 ${head}\r\nContent-Type: application/websocket-events`, 'OPEN\r\n'),
            '/o/',
            upgrade,
          ),
        ),
      );
      await together(
        heads.map((head) =>
          answered(
            target,
            answer(`HTTP/1.1 103 ${head.slice(4)}\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK`, 'x'),
            '/f/',
            request,
          ),
        ),
      );
    },
  },
  {
    name: 'reasons that are none, when a long poll times out or a stream opens',
    run: async (target) => {
      const poll = (reason: string) =>
        `HTTP/1.1 200 ${reason}\r\nGrip-Hold: response\r\nGrip-Channel: TOKEN\r\nGrip-Timeout: 1`;
      const stream = (reason: string) => poll(reason).replace('response', 'stream');
      await together(REASONS.map((reason) => answered(target, answer(poll(reason), 'x'), '/f/', request)));
      await together(REASONS.map((reason) => answered(target, answer(stream(reason), 'x'), '/f/', request)));
      await together(
        REASONS.map((reason) =>
          answered(
            target,
            answer(`HTTP/1.1 200 OK\r\nGrip-Status: 200 ${reason}\r\nGrip-Hold: stream\r\nGrip-Channel: TOKEN`, 'x'),
            '/f/',
            request,
          ),
        ),
      );
      // Raised to the least time-out there is, so that it runs out within this attack.
      const token = newToken();
      target.origin.plan(token, { answer: () => [answer(poll(REASONS[0] as string).replace('TOKEN', token), 'x')] });
      await ask(target.node.port('clients'), request(tokenPath('/f/', token)), 6_500);
    },
  },
  {
    name: 'statuses that are none',
    run: async (target) => {
      for (const prefix of ['/f/', '/o/']) {
        await together(
          STATUSES.map((status) => answered(target, answer(`HTTP/1.1 ${status} OK`, 'x'), prefix, request)),
        );
        await together(
          STATUSES.map((status) => answered(target, answer(`HTTP/1.1 ${status} OK`, 'x'), prefix, upgrade)),
        );
      }
      await together(
        STATUSES.map((status) =>
          answered(
            target,
            answer(`HTTP/1.1 200 OK\r\nGrip-Status: ${status}\r\nGrip-Hold: stream\r\nGrip-Channel: TOKEN`, 'x'),
            '/f/',
            request,
          ),
        ),
      );
      const item = { formats: { 'http-response': { code: 100, reason: '\u010d\u010aSet-Cookie: a=b', body: 'x' } } };
      await answered(
        target,
        answer('HTTP/1.1 200 OK\r\nGrip-Hold: response\r\nGrip-Channel: TOKEN'),
        '/f/',
        request,
        item,
      );
    },
  },
  {
    name: 'server names of TLS that are paths, or too long for one',
    run: async ({ tlsPort }) => {
      const names = [
        'a'.repeat(255),
        `${'a.'.repeat(127)}a`,
        '../../etc/passwd',
        'x/../../y',
        '.',
        '..',
        '*',
        '_',
        '%00',
        'default_1',
        'a'.repeat(64),
      ];
      const meet = (servername: string) =>
        new Promise<void>((resolve) => {
          const socket = connectTls({ port: tlsPort, host: '127.0.0.1', servername, rejectUnauthorized: false });
          const timer = setTimeout(() => socket.destroy(), 2_000);
          socket.on('secureConnect', () => socket.destroy()).on('error', () => {});
          socket.on('close', () => {
            clearTimeout(timer);
            resolve();
          });
        });
      for (let round = 0; round < 20; round++) await together(names.map(meet));
    },
  },
  {
    name: 'a public key to sign with, by a reload',
    expected: /routes not loaded/,
    run: async (target) => {
      const { publicKey } = generateKeyPairSync('ec', {
        namedCurve: 'P-256',
        publicKeyEncoding: { type: 'spki', format: 'pem' },
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      });
      writeFileSync(join(target.node.directory, 'public.pem'), publicKey);
      await target.reroute([`*,path_beg=/pem/,sig_key=file:public.pem ${target.origin.target}`]);
      await ask(target.node.port('clients'), request(tokenPath('/pem/', newToken())), 500);
      await ask(target.node.port('clients'), upgrade(tokenPath('/pem/', newToken())), 500);
      await target.reroute([]);
    },
  },
  {
    name: 'a message of SockJS with millions of strings',
    run: async ({ node, origin }) => {
      const head =
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ';
      const key = 'dGhlIHNhbXBsZSBub25jZQ==';
      origin.plan('sock-0', {
        answer: (asked) => [
          Buffer.from(
            `${head}${acceptFor(asked.fields.find(([name]) => name === 'sec-websocket-key')?.[1] ?? key)}\r\n\r\n`,
          ),
        ],
        frames: () => {},
      });
      const socket = await open(node.port('clients'));
      await begin(socket, upgrade('/s/srv/attack/websocket'));
      socket.resume();
      socket.write(
        encodeFrame({ opcode: 1, masked: true, payload: Buffer.from(`[${'"",'.repeat(5_000_000 - 1)}""]`) }),
      );
      await delay(1_500);
      socket.destroy();
    },
  },
  {
    name: 'tens of thousands of meta values of one origin',
    run: async (target) => {
      const token = newToken();
      const metas = Array.from({ length: 40_000 }, (_, n) => `c:{"type":"set-meta","name":"n${n}","value":"v"}`);
      const frames = Buffer.concat(metas.map((text) => encodeFrame({ opcode: 1, payload: Buffer.from(text) })));
      const events = metas.map((text) => `TEXT ${text.length.toString(16)}\r\n${text}\r\n`).join('');
      target.origin.plan(token, {
        answer: (asked) => {
          const key = asked.fields.find(([name]) => name === 'sec-websocket-key')?.[1];
          if (asked.target.startsWith('/o/'))
            return [
              answer(
                'HTTP/1.1 200 OK\r\nContent-Type: application/websocket-events\r\nSec-WebSocket-Extensions: grip',
                `OPEN\r\n${events}`,
              ),
            ];
          return [
            Buffer.from(
              `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key ?? '')}\r\nSec-WebSocket-Extensions: grip\r\n\r\n`,
            ),
            frames,
          ];
        },
        frames: () => {},
      });
      await together(
        ['/f/', '/o/'].map((prefix) => ask(target.node.port('clients'), upgrade(tokenPath(prefix, token)), 2_500)),
      );
      target.origin.forget(token);
    },
  },
];
