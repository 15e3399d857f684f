import t from 'tap';
import type { UwsAnswer, UwsApp, UwsLibrary, UwsWebSocketRoute } from '../../../dist/edge/uws/library.js';
import { findHandshakeCork } from '../../../dist/edge/uws/whole-handshakes.js';
import { uws } from '../uws-edge-maker.js';

/** The library, with something else in the place of a part of each app. */
function libraryWith(change: (app: UwsApp) => Partial<UwsApp>): UwsLibrary {
  const App = (): UwsApp => {
    const app = uws.App();
    return Object.assign(app, change(app));
  };
  return { ...uws, App };
}

/** The library, with another way to take handshakes. */
function libraryThatTakes(take: (answer: UwsAnswer, upgrade: () => void) => void): UwsLibrary {
  return libraryWith(({ ws }) => ({
    ws(this: UwsApp, pattern: string, route: UwsWebSocketRoute<never>): UwsApp {
      const upgrade: typeof route.upgrade = (answer, request, context) =>
        take(answer, () => route.upgrade(answer, request, context));
      return ws.call(this, pattern, { ...route, upgrade }) as UwsApp;
    },
  }));
}

t.test('uws: the cork for handshakes is found where an upgrade leaves a connection in its place', async (t) => {
  t.type(await findHandshakeCork(uws), 'function');
});

t.test('uws: it is not used where an answer’s own cork does not close a connection that was the last', async (t) => {
  const library = libraryThatTakes((answer, upgrade) => {
    // As where the connection has moved: nothing is read in the memory that it had.
    answer.cork = (run) => {
      run();
      return answer;
    };
    upgrade();
  });
  t.equal(await findHandshakeCork(library), undefined);
});

t.test('uws: nor where nothing can listen, or the trial throws', async (t) => {
  const deaf = libraryWith((app) => ({
    listen: (...[, , , done]: Parameters<UwsApp['listen']>) => {
      done(false);
      return app;
    },
  }));
  t.equal(await findHandshakeCork(deaf), undefined);
  const faulty = { ...uws, us_socket_local_port: () => undefined as never };
  t.equal(await findHandshakeCork(faulty), undefined);
});

t.test('uws: nor where the cork of WebSockets does not take an answer', async (t) => {
  let calls = 0;
  const library = libraryWith(({ ws }) => ({
    ws(this: UwsApp, pattern: string, route: UwsWebSocketRoute<never>): UwsApp {
      const open: typeof route.open = (socket) => {
        socket.cork = () => {
          calls++;
          throw new TypeError('Illegal invocation');
        };
        route.open(socket);
      };
      return ws.call(this, pattern, { ...route, open }) as UwsApp;
    },
  }));
  t.equal(await findHandshakeCork(library), undefined);
  t.equal(calls, 1);
});

t.test('uws: nor where the handshake takes longer than its limit', async (t) => {
  let answers = 0;
  const library = libraryThatTakes((answer) => {
    answers++;
    answer.onAborted(() => {});
  });
  t.equal(await findHandshakeCork(library), undefined);
  t.equal(answers, 1, 'and it is tried once');
});
