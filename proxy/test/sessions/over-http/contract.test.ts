import type { WsEvent } from '@holdfast/grip';
import t, { type Test } from 'tap';
import type { MessageType } from '../../../dist/websocket/message-socket.js';
import {
  originSocketContract,
  type ScriptedServer,
  type ServerScript,
  type ServerSession,
} from '../origin-contract.js';
import { EventsServer, event, type Reply, type SeenRequest } from './events-server.js';
import { dialServer } from './origin-fixture.js';

const EVENT_TYPES = { text: 'TEXT', binary: 'BINARY', ping: 'PING', pong: 'PONG' } as const;
const MESSAGE_TYPES: Partial<Record<WsEvent['type'], MessageType>> = {
  TEXT: 'text',
  BINARY: 'binary',
  PING: 'ping',
  PONG: 'pong',
};
const NOTHING = Buffer.alloc(0);

/** Plays a script over events: what it does in a request is that request's answer. */
function answer(script: ServerScript, seen: SeenRequest): Reply {
  const events: WsEvent[] = [];
  const session: ServerSession = {
    send: (type, data) => events.push({ type: EVENT_TYPES[type], content: data }),
    close: (code, reason = '') => {
      const content = Buffer.alloc(2 + Buffer.byteLength(reason));
      content.writeUInt16BE(code ?? 0);
      content.write(reason, 2);
      events.push(code === undefined ? event('CLOSE') : event('CLOSE', content));
    },
    cut: () => events.push(event('DISCONNECT')),
  };
  for (const { type, content = NOTHING } of seen.events) {
    const message = MESSAGE_TYPES[type];
    if (message !== undefined) script.onMessage?.({ type: message, data: content }, session);
    else if (type === 'OPEN') {
      if (script.refuse !== undefined) return script.refuse;
      events.push({ type: 'OPEN' });
      script.onOpen?.(session);
    } else if (type === 'CLOSE') {
      const code = content.length < 2 ? undefined : content.readUInt16BE();
      script.onClose?.(code, String(content.subarray(2)));
      events.push({ type, content });
    } else script.onGone?.();
  }
  return { headers: script.headers ?? [], events };
}

async function start(t: Test, script: ServerScript): Promise<ScriptedServer> {
  let stalled: Promise<void> | undefined;
  let go = () => {};
  const server = await EventsServer.start(t, async (seen) => {
    await stalled;
    return answer(script, seen);
  });
  return {
    dial: (owner) => dialServer(t, server, owner).socket,
    stall: () => {
      stalled = new Promise((resolve) => {
        go = resolve;
      });
    },
    go: () => go(),
  };
}

originSocketContract(t, 'http-origin', start);
