// Answers of a language model as event streams, which survive a reload of the page, a lost connection and the end of a proxy. The
// tokens are published once and kept by the proxy for a while; here only the whole text is kept. A client that comes late, or
// again, gets all tokens so far from the proxy, and one whose connection broke off those that it missed.
//
// PORT       where this application listens (default 3000; 0 picks a free port)
// GRIP_URL   the control API of the proxy (default http://127.0.0.1:5561/); with ?verify-key=<sig_key of the proxy>
//            requests that pass for the proxy's and are not are refused
// TOKEN_MS   between two tokens (default 80)
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpStreamFormat, Publisher } from '@fanoutio/grip';
import { ServeGrip } from '@fanoutio/serve-grip';
import express from 'express';
import { refuseForged, warnIfUnverified } from '../express-origin/grip-sig.mjs';
import { generate } from './model.mjs';

/** Answers that are kept, characters of a prompt, and how often a publish is tried, a second apart. */
const LIMITS = { answers: 1_000, prompt: 2_000, tries: 30 };

const gripUrl = process.env.GRIP_URL ?? 'http://127.0.0.1:5561/';
// One publish follows the other, so none may wait for ever, as fetch of Node 20 does on a connection that is closed at once.
const publisher = new Publisher(gripUrl, {
  fetch: (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(5_000) }),
});
const serveGrip = new ServeGrip({ grip: publisher });
const app = express();

/** @type {Map<string, { text: string, done: boolean }>} by id; in an application, rows of its database */
const answers = new Map();

/** @param {string} name @param {object} data */
const event = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

app.get('/', (_req, res) => res.sendFile('index.html', { root: import.meta.dirname }));

// Writing goes on by itself. Nobody has to listen, and the page that asked may be gone.
app.post('/answers', express.json(), (req, res) => {
  const { prompt } = req.body ?? {};
  if (typeof prompt !== 'string' || prompt.trim() === '' || prompt.length > LIMITS.prompt)
    return res.status(400).json({ error: `A prompt is text of at most ${LIMITS.prompt} characters.` });
  const id = randomUUID();
  answers.set(id, { text: '', done: false });
  if (answers.size > LIMITS.answers) answers.delete(answers.keys().next().value);
  write(id, answers.get(id), prompt).catch((error) => console.error(`answer ${id}: ${error.message}`));
  return res.status(201).location(`/answers/${id}/events`).json({ id });
});

warnIfUnverified(gripUrl);
app.get('/answers/:id/events', refuseForged(serveGrip), serveGrip, (req, res) => {
  const answer = answers.get(req.params.id);
  // An EventSource gives up at a 404.
  if (!answer) return res.status(404).json({ error: 'No such answer.' });
  res.type('text/event-stream').set('Cache-Control', 'no-store');
  if (answer.done) return res.send(event('done', { text: answer.text }));
  if (!req.grip.isProxied) return res.status(501).json({ error: 'Ask through the GRIP proxy.' });
  // initial: the tokens so far, then those to come. The library has no name for it, so the headers are written as they are.
  res.set({ 'Grip-Hold': 'stream', 'Grip-Channel': `answer-${req.params.id}; initial=1000` });
  return res.set('Grip-Keep-Alive', ':\\n\\n; format=cstring; timeout=20').send('retry: 1000\n\n');
});

/** Publishes tokens as they come, numbered so that clients see what is missing, and then the whole text. */
async function write(id, answer, prompt) {
  let n = 0;
  for await (const token of generate(prompt, Number(process.env.TOKEN_MS ?? 80))) {
    answer.text += token;
    await publish(id, `${n}`, event('token', { n, token }));
    n++;
  }
  answer.done = true;
  await publish(id, 'done', event('done', { text: answer.text }));
}

/** Tries until the proxy has accepted it. The id makes a repeated item harmless: a second one goes nowhere. */
async function publish(id, itemId, content) {
  for (let tries = 1; ; tries++) {
    try {
      return await publisher.publishFormats(`answer-${id}`, new HttpStreamFormat(content), itemId);
    } catch (error) {
      if (tries === LIMITS.tries) throw error;
      await delay(1_000);
    }
  }
}

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`llm listening on http://127.0.0.1:${server.address().port}`);
});
