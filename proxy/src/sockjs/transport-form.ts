/** Owns: how each transport over HTTP writes frames. Does not own: when, or to whom. */
import type { ReceivingTransport } from './sockjs-path.js';

/** How a transport writes. */
export interface TransportForm {
  readonly contentType: string;
  /** What comes before the first frame of an answer that goes on; undefined when each answer is one frame. */
  readonly prelude: string | undefined;
  /** A frame on the wire. */
  wrap(frame: string): string;
}

const SCRIPT = 'application/javascript; charset=UTF-8';

/** Browsers show nothing of a stream before so many bytes have come (protocol 0.3, "XhrStreaming"). */
const PRELUDE_BYTES = 2_048;

const xhr: TransportForm = { contentType: SCRIPT, prelude: undefined, wrap: (frame) => `${frame}\n` };

const xhrStreaming: TransportForm = {
  contentType: SCRIPT,
  prelude: `${'h'.repeat(PRELUDE_BYTES)}\n`,
  wrap: (frame) => `${frame}\n`,
};

const eventsource: TransportForm = {
  contentType: 'text/event-stream',
  prelude: '\r\n',
  // The client decodes events as URIs; line breaks within a frame are escaped by JSON.
  wrap: (frame) => `data: ${frame.replaceAll('%', '%25')}\r\n\r\n`,
};

/** A call of a function that the client has named, with a text. */
export const jsonp = (callback: string): TransportForm => ({
  contentType: SCRIPT,
  prelude: undefined,
  // The comment keeps the callback's name from being read as the beginning of another format (CVE-2014-4671).
  wrap: (frame) => `/**/${callback}(${JSON.stringify(frame)});\r\n`,
});

const htmlfile = (callback: string): TransportForm => ({
  contentType: 'text/html; charset=UTF-8',
  prelude: `${htmlHead(callback).padEnd(PRELUDE_BYTES)}\r\n\r\n`,
  // No frame may close the script element.
  wrap: (frame) => `<script>\np(${JSON.stringify(frame).replaceAll('<', '\\u003c')});\n</script>\r\n`,
});

const htmlHead = (callback: string) => `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.${callback};
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>`;

/** The form of a transport; undefined when it calls back and the request names no function. */
export function transportForm(transport: ReceivingTransport, callback: string | undefined): TransportForm | undefined {
  switch (transport) {
    case 'xhr':
      return xhr;
    case 'xhr_streaming':
      return xhrStreaming;
    case 'eventsource':
      return eventsource;
    case 'jsonp':
      return callback === undefined ? undefined : jsonp(callback);
    case 'htmlfile':
      return callback === undefined ? undefined : htmlfile(callback);
  }
}
