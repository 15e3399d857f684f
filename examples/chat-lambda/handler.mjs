// The chat of ../chat as a function: one event in, one response out, in the shapes that AWS Lambda uses
// behind an API Gateway HTTP API or a function URL (payload format 2.0). Such a function lives for
// milliseconds and cannot hold a WebSocket. It need not: the proxy in front holds it.
//
// GRIP_URL  the control API of the proxy (default http://127.0.0.1:5561/)
import { readFileSync } from 'node:fs';
import { encodeWebSocketEvents, getWebSocketContextFromReq, isWsOverHttp, Publisher } from '@fanoutio/grip';
import { converse, roomOf } from '../chat/conversation.mjs';
import { checkGripSig } from '../express-origin/grip-sig.mjs';

/**
 * @typedef {object} LambdaEvent  the part of an API Gateway event that is used here
 * @property {string} rawPath
 * @property {Record<string, string>} headers  names in lower case, several values joined by a comma
 * @property {{ http: { method: string, path: string, protocol: string } }} requestContext
 * @property {string} [body]
 * @property {boolean} isBase64Encoded  true for everything that is not text, so for the events of a WebSocket
 *
 * @typedef {object} LambdaResponse
 * @property {number} statusCode
 * @property {Record<string, string>} headers
 * @property {string} body
 * @property {boolean} isBase64Encoded
 */

const page = readFileSync(new URL('../chat/index.html', import.meta.url), 'utf8');
const publisher = new Publisher(process.env.GRIP_URL ?? 'http://127.0.0.1:5561/');

/**
 * Answers one request. All that is published is published before the response, since nothing runs after it.
 *
 * @param {LambdaEvent} event
 * @returns {Promise<LambdaResponse>}
 */
export async function handler(event) {
  const request = toRequest(event);
  if (request.method === 'GET' && event.rawPath === '/') return reply(200, page, 'text/html; charset=utf-8');

  const room = roomOf(event.rawPath);
  if (!room) return reply(404, 'No such room.\n');
  // Every request of the proxy is signed; with a verify-key in GRIP_URL the signature is checked.
  const checked = await checkGripSig(publisher, request.headers.get('grip-sig') ?? undefined);
  if (checked === 'none') return reply(501, 'Ask through the GRIP proxy.\n');
  if (checked === 'bad') return reply(403, 'Grip-Sig is not that of the proxy.\n');
  if (!isWsOverHttp(request)) return reply(400, 'Open a WebSocket here.\n');

  const ws = await readEvents(request);
  if (!ws) return reply(400, 'These are no WebSocket events.\n');
  await converse(ws, room, publisher);
  // Events may hold any bytes, and Lambda's body is text: base64.
  const body = Buffer.from(encodeWebSocketEvents(ws.getOutgoingEvents())).toString('base64');
  return { statusCode: 200, headers: ws.toHeaders(), body, isBase64Encoded: true };
}

/** The library reads Fetch requests, so the event becomes one. @param {LambdaEvent} event */
function toRequest({ headers, requestContext, body = '', isBase64Encoded }) {
  const { method } = requestContext.http;
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  // It looks at neither the address nor, without POST, at the body, which Fetch does not allow then.
  return new Request('http://lambda.invalid/', { method, headers, body: method === 'POST' ? bytes : undefined });
}

/** @param {Request} request @returns {Promise<import('@fanoutio/grip').WebSocketContext | undefined>} undefined when malformed */
function readEvents(request) {
  return getWebSocketContextFromReq(request).catch(() => undefined);
}

/** @param {number} statusCode @param {string} body @param {string} [type] @returns {LambdaResponse} */
function reply(statusCode, body, type = 'text/plain; charset=utf-8') {
  return { statusCode, headers: { 'Content-Type': type }, body, isBase64Encoded: false };
}
