// An API of prices and trades, as JSON and as JSON lines that go on: `curl -N http://127.0.0.1:7999/v1/trades/stream`. Its clients
// see this API and nothing of the proxy, which holds their streams and writes each line into them.
//
// PORT             where this application listens (default 3000; 0 picks a free port)
// GRIP_URL         the control API of the proxy (default http://127.0.0.1:5561/); with ?verify-key=<sig_key of the proxy>
//                  requests that pass for the proxy's and are not are refused
// TRADE_EVERY_MS   between two trades (default 500)
import { Channel, HttpStreamFormat, Publisher } from '@fanoutio/grip';
import { ServeGrip } from '@fanoutio/serve-grip';
import express from 'express';
import { refuseForged, warnIfUnverified } from '../express-origin/grip-sig.mjs';
import { newest, tradesAfter, trading } from './market.mjs';

const gripUrl = process.env.GRIP_URL ?? 'http://127.0.0.1:5561/';
// One publish follows the other, so none may wait for ever, as fetch of Node 20 does on a connection that is closed at once.
const publisher = new Publisher(gripUrl, {
  fetch: (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(5_000) }),
});
const serveGrip = new ServeGrip({ grip: publisher });
const app = express();

warnIfUnverified(gripUrl);
app.use(refuseForged(serveGrip), serveGrip);

/** @param {object} value */
const line = (value) => `${JSON.stringify(value)}\n`;
/** @param {import('./market.mjs').Trade} trade */
const priceOf = ({ price, at }) => ({ price, at });

/**
 * Sends lines and has the proxy hold the stream for more. The instruct says up to which trade the lines go. If the proxy has a later
 * one already, or misses one at any time, it asks for the rest at `next`: no line is lost between this answer and the hold.
 */
function sendLines(req, res, channel, values, next) {
  if (!req.grip.isProxied) return res.status(501).json({ error: 'Ask through the GRIP proxy.' });
  const instruct = res.grip.startInstruct();
  instruct.addChannel(new Channel(channel, String(newest().id)));
  instruct.setHoldStream();
  instruct.setNextLink(next);
  // Readers of JSON lines skip empty ones. It keeps quiet connections open.
  instruct.setKeepAlive('\n', 20);
  return res.type('application/x-ndjson').send(values.map(line).join(''));
}

/**
 * The trades that are asked for: after the one that the proxy names when it catches up a stream that it holds, else after the one
 * that the client names, else none so far.
 */
function readTrades(req, res) {
  const [, held] = /; *last-id="?(\d+)/.exec(req.get('grip-last') ?? '') ?? [];
  const after = held ?? req.query.after ?? String(newest().id);
  const trades = /^\d{1,15}$/.test(after) ? tradesAfter(Number(after)) : undefined;
  if (!trades) res.status(410).json({ error: 'Not all trades after that one are kept. Start anew, without after.' });
  return trades;
}

app.get('/v1/price', (_req, res) => res.json(priceOf(newest())));
app.get('/v1/price/stream', (req, res) => sendLines(req, res, 'prices', [priceOf(newest())], '/v1/price/stream'));

app.get('/v1/trades', (req, res) => {
  const trades = readTrades(req, res);
  if (trades) res.json(trades);
});
app.get('/v1/trades/stream', (req, res) => {
  const trades = readTrades(req, res);
  if (trades) sendLines(req, res, 'trades', trades, `/v1/trades/stream?after=${newest().id}`);
});

/** Publishes one trade after the other, in their order. What does not reach the proxy it asks for at the next link. */
async function publishTrades() {
  for await (const trade of trading(Number(process.env.TRADE_EVERY_MS ?? 500))) {
    const [id, previous] = [String(trade.id), String(trade.id - 1)];
    try {
      await publisher.publishFormats('trades', new HttpStreamFormat(line(trade)), id, previous);
      await publisher.publishFormats('prices', new HttpStreamFormat(line(priceOf(trade))), id, previous);
    } catch (error) {
      console.error(`trade ${id} not published: ${error.message}`);
    }
  }
}

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`market listening on http://127.0.0.1:${server.address().port}`);
  publishTrades();
});
