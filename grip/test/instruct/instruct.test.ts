import t from 'tap';
import { instructKind } from '../../dist/index.js';

function kind(...headers: string[]): string {
  return instructKind({ status: 200, reason: 'OK', headers });
}

t.test('any Grip- header, known or not and in any case, makes a response an instruct', async (t) => {
  t.equal(kind('Grip-Hold', 'stream'), 'headers');
  t.equal(kind('Date', 'x', 'Grip-Foo', ''), 'headers');
  t.equal(kind('gRIP-x', ''), 'headers');
  t.equal(kind('Grip-', ''), 'headers');
});

t.test('names that only resemble Grip- do not', async (t) => {
  for (const name of ['Grip', 'Gripped', 'X-Grip-Hold', 'grip_hold', 'G', '']) t.equal(kind(name, 'x'), 'none', name);
  t.equal(kind('Date', 'Grip-Hold: stream', 'X', 'application/grip-instruct'), 'none', 'values do not count');
  t.equal(kind(), 'none');
});

t.test('the media type application/grip-instruct, in any case and with parameters, is the JSON form', async (t) => {
  for (const type of [
    'application/grip-instruct',
    'Application/GRIP-Instruct',
    'application/grip-instruct; charset=utf-8',
    ' application/grip-instruct\t;x',
  ]) {
    t.equal(kind('Content-Type', type), 'json', type);
  }
  t.equal(kind('Grip-Link', '</a>; rel=next', 'content-type', 'application/grip-instruct'), 'json', 'with headers too');
});

t.test('other media types are not', async (t) => {
  for (const type of [
    'application/grip-instruct2',
    'application/grip-instruc',
    'text/plain; x=application/grip-instruct',
    'application/grip\rinstruct',
    '',
  ]) {
    t.equal(kind('Content-Type', type), 'none', JSON.stringify(type));
  }
  t.equal(kind('Content-Type', 'text/plain', 'Content-Type', 'application/grip-instruct'), 'none', 'the first counts');
});
