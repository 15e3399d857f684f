/** Attacks by what is published. */
import { setTimeout as delay } from 'node:timers/promises';
import { tokenPath } from '../hostile-origin.js';
import { deepJson } from '../odd.js';
import { type Attack, answer, newToken, open, publish, request, subscribed, type Target } from './attack.js';

/** Publishes to holds that are opened for it, one for each time. */
async function toHold(
  target: Target,
  hold: string,
  fields: string,
  body: string,
  items: readonly (string | object)[],
): Promise<void> {
  for (const item of items) {
    const token = newToken();
    const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nGrip-Hold: ${hold}\r\nGrip-Channel: ${token}${fields}`;
    target.origin.plan(token, { answer: () => [answer(head, body)] });
    const socket = await open(target.node.port('clients'));
    socket.resume();
    socket.write(request(tokenPath('/h/', token)));
    await subscribed(target, token);
    await publish(
      target,
      typeof item === 'string' ? `{"items":[{"channel":"${token}",${item}}]}` : [{ channel: token, ...item }],
    );
    await delay(100);
    socket.destroy();
    target.origin.forget(token);
  }
}

const patched = (bodyPatch: unknown) => ({ formats: { 'http-response': { 'body-patch': bodyPatch } } });
const KB = 1_000;

/** Each puts the whole into itself under another name: twice as much every time. */
const copies = Array.from({ length: 40 }, (_, n) => ({ op: 'copy', from: '', path: `/c${n}` }));

export const itemAttacks: readonly Attack[] = [
  {
    name: 'patches into what objects inherit',
    run: (target) =>
      toHold(target, 'response', '', '{"a":{"b":1},"l":[1]}', [
        ...[
          '/hasOwnProperty/call',
          '/__proto__/x',
          '/constructor/prototype/x',
          '/a/__proto__/toString',
          '/toString/call',
          '/l/__proto__/push',
          '/l/constructor',
        ].map((path) => patched([{ op: 'add', path, value: 0 }])),
        patched([{ op: 'copy', from: '/__proto__', path: '/a' }]),
        patched([{ op: 'move', from: '/hasOwnProperty', path: '/a' }]),
        patched([{ op: 'replace', path: '/constructor/prototype/toJSON', value: 0 }]),
      ]),
  },
  {
    name: 'a patch of copies that each double the body',
    run: (target) =>
      toHold(target, 'response', '', `{"a":"${'x'.repeat(1_000)}"}`, [
        patched(copies),
        patched([...copies, { op: 'remove', path: '/a' }]),
      ]),
  },
  {
    name: 'a long meta put in thousands of times',
    run: async (target) => {
      const token = newToken();
      const hold = {
        mode: 'stream',
        channels: [{ name: token, filters: ['var-subst'] }],
        meta: { m: 'v'.repeat(50 * KB) },
      };
      const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/grip-instruct';
      target.origin.plan(token, {
        answer: () => [answer(head, JSON.stringify({ hold, response: { body: 'opened' } }))],
      });
      const sockets = await Promise.all(Array.from({ length: 5 }, () => open(target.node.port('clients'))));
      for (const socket of sockets) socket.resume().write(request(tokenPath('/f/', token)));
      await subscribed(target, token);
      const content = '%(m)s'.repeat(8_000);
      for (let n = 0; n < 3; n++) await publish(target, [{ channel: token, formats: { 'http-stream': { content } } }]);
      for (const socket of sockets) socket.destroy();
      target.origin.forget(token);
    },
  },
  {
    name: 'values nested two hundred thousand deep',
    run: (target) => {
      const deep = deepJson(200_000, true);
      return toHold(target, 'response', '', '{"a":1}', [
        `"formats":{"http-response":{"body-patch":[{"op":"add","path":"/a","value":${deep}}]}}`,
        `"formats":{"http-response":{"body-patch":${deep}}}`,
        `"formats":{"http-response":{"body":"x","headers":${deep}}}`,
        `"meta":{"a":${deep}},"formats":{"http-response":{"body":"x"}}`,
        `"formats":{"none":${deep}}`,
      ]);
    },
  },
  {
    name: 'histories and ids of hundreds of megabytes',
    run: async (target) => {
      const long = 'h'.repeat(900 * KB);
      const content = { 'http-stream': { content: 'x' } };
      const makers: readonly ((n: number) => object)[] = [
        (n) => ({ channel: `kept-${n % 5}`, id: `${n}`, meta: { long }, formats: content }),
        (n) => ({
          channel: `kept-${n % 5}`,
          id: `${n}`,
          formats: { 'http-response': { headers: { long }, body: '' } },
        }),
        (n) => ({
          channel: `kept-${n % 5}`,
          id: `${n}`,
          formats: { 'http-response': { 'body-patch': [{ op: 'add', path: '/a', value: long }] } },
        }),
        (n) => ({ channel: `${n}${long}`, id: `${n}`, formats: content }),
        (n) => ({ channel: `kept-${n % 5}`, id: `${n}${long}`, formats: content }),
      ];
      for (let n = 0; n < 260 && target.node.alive; n++)
        await publish(target, [(makers[n % makers.length] as (n: number) => object)(n)]);
    },
  },
  {
    name: 'histories of very many small items',
    run: async (target) => {
      for (let n = 0; n < 30 && target.node.alive; n++) {
        const items = Array.from(
          { length: 4_000 },
          (_, i) => `{"channel":"small-${n}-${i % 50}","id":"${n}-${i}","formats":{"http-stream":{"content":"x"}}}`,
        );
        await publish(target, `{"items":[${items.join(',')}]}`);
      }
    },
  },
];
