/** GRIP's own publisher library, given a GRIP_URL as applications give it. */
import { HttpResponseFormat, HttpStreamFormat, type IFormat, Item, Publisher, parseGripUri } from '@fanoutio/grip';
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';

const origin = await startOrigin(t, (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
  const hold = pathname === '/stream' ? streamHold : responseHold;
  response.writeHead(200, hold(searchParams.get('channel') ?? 'room'));
  response.end(pathname === '/stream' ? 'opened\n' : 'timed out\n');
});
const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`] });
const { clients, control } = holdfast;

for (const [name, url] of [
  ['plain', control],
  ['with a slash at its end', `${control}/`],
  ['with an issuer and a key', `${control}/?iss=realm&key=base64:c2VjcmV0`],
  ['with a bearer token', `${control}/?key=token`],
  ['with user and password', control.replace('http://', 'http://user:pass@')],
] as const) {
  t.test(`GRIP_URL ${name}: http-stream and http-response`, async (t) => {
    const channel = `of-${encodeURIComponent(name)}`;
    const query = `?channel=${encodeURIComponent(channel)}`;
    const publisher = new Publisher(parseGripUri(url));
    const stream = await open(t, `${clients}/stream${query}`);
    await stream.until('opened\n');
    await publisher.publishHttpStream(channel, 'first\n');
    await publisher.publishHttpStream(channel, new HttpStreamFormat(new TextEncoder().encode('zweites ✓\n')));
    await stream.until('opened\nfirst\nzweites ✓\n');

    const polling = ask(t, `${clients}/poll${query}`);
    await holdfast.holds('response', 1);
    await publisher.publishHttpResponse(channel, 'answer\n');
    t.match(await polling, { status: 200, text: 'answer\n', headers: { 'content-type': 'text/plain' } });
  });
}

t.test('status, reason, headers and a binary body of an http-response reach the client', async (t) => {
  const publisher = new Publisher(control);
  const polling = ask(t, `${clients}/poll`);
  await holdfast.holds('response', 1);
  const body = new TextEncoder().encode('né');
  await publisher.publishHttpResponse(
    'room',
    new HttpResponseFormat('404', 'Not Here', { 'Content-Type': 'text/html', 'X-Item': '7' }, body),
  );
  const answer = await polling;
  t.match(answer, { status: 404, reason: 'Not Here', text: 'né' });
  t.match(answer.headers, { 'content-type': 'text/html', 'x-item': '7', 'content-length': '3' });
});

t.test('one item in two formats, with ids, reaches both kinds of hold, and a close ends the stream', async (t) => {
  const publisher = new Publisher(control, { prefix: 'app-' });
  const stream = await open(t, `${clients}/stream?channel=app-both`);
  const polling = ask(t, `${clients}/poll?channel=app-both`);
  await holdfast.holds('response', 1);
  const formats = [new HttpStreamFormat('item\n'), new HttpResponseFormat({ body: 'item\n' })];
  await publisher.publish('both', new Item(formats, 'id-2', 'id-1'));
  t.equal((await polling).text, 'item\n');
  await stream.until('opened\nitem\n');

  await publisher.publishFormats('both', new HttpStreamFormat(null, true));
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'opened\nitem\n');
});

t.test('a bad item is refused: the library hands on status and reason', async (t) => {
  const publisher = new Publisher(control);
  const bad: IFormat = { name: () => 'http-stream', export: () => ({}) };
  const error = await publisher.publishFormats('room', bad).then(
    () => undefined,
    (error: unknown) => error,
  );
  const text = "Invalid format: items[0]: 'http-stream' does not contain 'content' or 'content-bin'\n";
  t.match(error, { message: JSON.stringify(text), context: { statusCode: 400, httpBody: text } });
});
