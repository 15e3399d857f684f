// An application with a Mercure hub, of which only the half is here that publishers need: POST /.well-known/mercure, as the
// libraries of Mercure send it. Subscribers get their updates from Holdfast, by the target `subscribe`, and this application is
// not asked for them: it gives its users tokens, and that is all.
//
// PORT                where this application listens (default 3000; 0 picks a free port)
// GRIP_URL            the control API of the proxy (default http://127.0.0.1:5561/)
// MERCURE_JWT_SECRET  signs tokens; the token_key in holdfast.yaml (default: the one of Mercure's examples)
import { randomUUID } from 'node:crypto';
import { HttpStreamFormat, Publisher } from '@fanoutio/grip';
import express from 'express';
import { jwtVerify, SignJWT } from 'jose';

/** Topics for everybody begin so: public_channels in holdfast.yaml. */
const PUBLIC = 'https://example.com/news/';
/** The type of Mercure's authorization details (1.0). */
const MERCURE = 'https://mercure.rocks/authorization-detail';

const key = new TextEncoder().encode(process.env.MERCURE_JWT_SECRET ?? '!ChangeThisMercureHubJWTSecretKey!');
const publisher = new Publisher(process.env.GRIP_URL ?? 'http://127.0.0.1:5561/');
const app = express();

app.get('/', (_req, res) => {
  // By this, clients of Mercure find the hub.
  res.set('Link', '</.well-known/mercure>; rel="mercure"').sendFile('index.html', { root: import.meta.dirname });
});

// Your own login, with a password. The cookie is sent to the hub alone, and no script sees it.
app.get('/login/:user', async (req, res) => {
  const { user } = req.params;
  const topic = `https://example.com/users/${encodeURIComponent(user)}`;
  const detail = { type: MERCURE, actions: ['subscribe'], topics: [{ match: topic }] };
  // The claim of 0.x and that of 1.0: a hub reads the one that it knows.
  const token = await new SignJWT({ sub: user, mercure: { subscribe: [topic] }, authorization_details: [detail] })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .setIssuedAt()
    .setExpirationTime('10m')
    .sign(key);
  const flags = /** @type {const} */ ({
    httpOnly: true,
    secure: true,
    sameSite: 'strict',
    path: '/.well-known/mercure',
  });
  res.cookie('mercureAuthorization', token, flags).redirect(`/?topic=${encodeURIComponent(topic)}`);
});

/**
 * The topics that a publisher's token allows; `*` is all of them.
 *
 * @param {string} authorization
 * @returns {Promise<unknown[] | undefined>} undefined where the token does not count
 */
async function allowedTopics(authorization) {
  const [, token = ''] = /^Bearer (\S+)$/i.exec(authorization) ?? [];
  try {
    const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'] });
    const { mercure, authorization_details: details = [] } = /** @type {any} */ (payload);
    const ofDetails = details
      .filter(({ type, actions }) => type === MERCURE && actions.includes('publish'))
      .flatMap(({ topics }) => topics.filter(({ match_type: type = 'exact' }) => type === 'exact'));
    return [...(mercure?.publish ?? []), ...ofDetails.map(({ match }) => match)];
  } catch {
    return undefined;
  }
}

// Publishers reach this address, not Holdfast's: it is not for clients.
app.post('/.well-known/mercure', express.urlencoded({ extended: false, limit: '256kb' }), async (req, res) => {
  const allowed = await allowedTopics(req.get('authorization') ?? '');
  if (!allowed) return res.status(401).set('WWW-Authenticate', 'Bearer error="invalid_token"').end();
  const { topic = [], id = `urn:uuid:${randomUUID()}`, private: secret, ...update } = req.body ?? {};
  const topics = [topic].flat();
  if (!topics.every((one) => allowed.includes('*') || allowed.includes(one))) return res.status(403).end();
  const event = eventOf(id, update);
  // Who is let in to a topic is decided when a client comes, for all that is published there.
  const leaks = secret !== undefined && topics.some((one) => one.startsWith(PUBLIC));
  if (topics.length === 0 || !event || leaks) return res.status(400).end();
  try {
    // With the id, an update that its publisher sends again in doubt is published once.
    for (const one of topics) await publisher.publishFormats(one, new HttpStreamFormat(event), id);
  } catch (error) {
    console.error(`update ${JSON.stringify(id)}: ${error.message}`);
    // Refused: no name of a channel, or too long. Otherwise the control API is away.
    return res.status(error.context?.statusCode === 400 ? 400 : 503).end();
  }
  return res.type('text').send(id);
});

/**
 * The update as a server-sent event.
 *
 * @param {unknown} id
 * @param {{ data?: unknown, type?: unknown, retry?: unknown }} update
 * @returns {string | undefined} undefined when it is none: a field is there twice, or would end its line
 */
function eventOf(id, { data = '', type = '', retry = '' }) {
  if (![id, data, type, retry].every((field) => typeof field === 'string')) return undefined;
  if (/[\r\n\0]/.test(id + type) || /^#|^earliest$/.test(id) || !/^\d*$/.test(retry)) return undefined;
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `id: ${id}\n${type && `event: ${type}\n`}${retry && `retry: ${retry}\n`}${lines.join('')}\n`;
}

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`mercure listening on http://127.0.0.1:${server.address().port}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
