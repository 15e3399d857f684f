/** Publishes by the control API, with the time in the text: so that what comes back shows how long it took. */
import { ask } from '../api.js';
import { attempt, el, field } from '../dom.js';

/** By the clock that goes on evenly, in ms. */
const now = () => performance.timeOrigin + performance.now();

/** How long ago what this page has published was sent, in ms; undefined for other texts. @param {string} text */
export function receivedOf(text) {
  const sent = Number(/\bsent-at=(\d+\.\d+)/.exec(text)?.[1]);
  return Number.isFinite(sent) ? Math.max(0, now() - sent) : undefined;
}

/** What one text is in all formats. @param {string} text @param {boolean} asEvent */
function formatsOf(text, asEvent) {
  return {
    'http-response': { body: `${text}\n` },
    'http-stream': { content: asEvent ? `${text.replace(/^/gm, 'data: ')}\n\n` : `${text}\n` },
    'ws-message': { content: text },
  };
}

/** The form. */
export function publisher() {
  const channel = el('input', { value: 'test', spellcheck: 'false', id: 'publish-channel' });
  const text = el('input', { value: 'hello', id: 'publish-text' });
  const asEvent = el('select', { id: 'publish-as' }, [
    el('option', { value: 'event' }, 'an event, for an EventSource too'),
    el('option', { value: 'line' }, 'a line'),
  ]);
  const said = el('pre', { role: 'status', id: 'published' }, 'Nothing published yet.');
  const publish = (/** @type {Event} */ event) => {
    event.preventDefault();
    void attempt(said, async () => {
      const content = `${text.value} sent-at=${now().toFixed(1)}`;
      const items = [{ channel: channel.value, formats: formatsOf(content, asEvent.value === 'event') }];
      const { items: receipts } = await ask('publish/?reach=1', { method: 'POST', body: { items } });
      return JSON.stringify(receipts[0]);
    });
  };
  return el(
    'section',
    {},
    el('h2', {}, 'Publish'),
    el(
      'form',
      { onSubmit: publish },
      field('Channel', channel),
      field('Text', text),
      field('To streams as', asEvent),
      el('button', { class: 'main', id: 'publish' }, 'Publish'),
    ),
    said,
  );
}
