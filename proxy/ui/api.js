/** The control API and the metrics of the node, asked through the listener that serves this page. */

/** The user's key, in memory alone. */
let key = '';

/** @type {(hadKey: boolean) => void} */
let onRefused = () => {};

/** @param {string} secret */
export function useKey(secret) {
  key = secret;
}

/** @param {(hadKey: boolean) => void} run  called where a key is needed, or the one that was given does not count */
export function whenRefused(run) {
  onRefused = run;
}

/** Characters that may wait for the end of their line. */
const LINE_MAX = 1_048_576;

/** An answer that is no success. */
export class Refused extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} path  below the page
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
async function request(path, init = {}) {
  const headers = new Headers(init.headers);
  if (key !== '') headers.set('Authorization', `Bearer ${key}`);
  const response = await fetch(path, { ...init, headers, cache: 'no-store', redirect: 'error' });
  if (response.ok) return response;
  if (response.status === 401) onRefused(headers.has('Authorization'));
  const text = await response.text();
  let message = text.trim();
  try {
    message = JSON.parse(text).message ?? message;
  } catch {
    // It is a text.
  }
  throw new Refused(response.status, message);
}

/**
 * Asks the control API, and gives its JSON.
 *
 * @param {string} path  of the control API, without its first slash
 * @param {{ method?: string, body?: unknown, signal?: AbortSignal }} [asking]
 * @returns {Promise<any>}
 */
export async function ask(path, { method = 'GET', body, signal } = {}) {
  const response = await request(`api/${path}`, {
    method,
    headers: { Accept: 'application/json', ...(body !== undefined && { 'Content-Type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
  });
  return response.json();
}

/**
 * Reads lines of the control API as they come, until they end or `signal` aborts.
 *
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {(line: string) => void} onLine
 */
export async function lines(path, signal, onLine) {
  const response = await request(`api/${path}`, { signal });
  await eachLine(response, onLine);
}

/** @param {Response} response @param {(line: string) => void} onLine */
export async function eachLine(response, onLine) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = /** @type {string} */ (parts.pop());
    for (const part of parts) onLine(part);
    if (rest.length > LINE_MAX) {
      onLine(rest);
      rest = '';
    }
  }
  if (rest !== '') onLine(rest);
}

/** The metrics as text. @param {AbortSignal} [signal] */
export async function metricsText(signal) {
  const response = await request('../metrics', signal === undefined ? {} : { signal });
  return response.text();
}

/** One segment of a path. @param {string} name @throws {Error} for what no browser asks for: it takes these out of a path */
export function segment(name) {
  if (name === '.' || name === '..') throw new Error(`A browser cannot ask for the name ${name}.`);
  return encodeURIComponent(name);
}
