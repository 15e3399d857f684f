/** The table of routes of the control API: each row says what its caller may do. */
import t from 'tap';
import {
  type ChannelHistory,
  type ChannelTaps,
  type ClusterViews,
  LocalBackplane,
  type NodeDrainPort,
  type NodeViews,
  Publisher,
  silentLog,
  type TokenRevocations,
} from '../dist/index.js';
import { controlRoutes } from '../dist/routes.js';
import { RecordingEvents } from './recorder.js';

const publisher = new Publisher({
  backplane: new LocalBackplane(silentLog),
  countSubscribers: () => 0,
  events: new RecordingEvents(),
  log: silentLog,
});
const views = {
  cluster: {} as ClusterViews,
  taps: {} as ChannelTaps,
  history: {} as ChannelHistory,
  node: {} as NodeViews,
};

t.test('every route names the permission that it needs; only the greeting needs none', async (t) => {
  const rows = controlRoutes({
    publisher,
    pushInHttpMaxBodySize: 1,
    views,
    tokens: {} as TokenRevocations,
    drain: {} as NodeDrainPort,
  });
  t.strictSame(
    rows.map(({ method, path, scope }) => `${method} ${path} ${scope}`),
    [
      '* / none',
      'POST /publish/? publish',
      'POST /publish/{channel+} publish',
      'POST /recover/? recover',
      'GET /nodes/? view',
      'GET /channels/{name} view',
      'GET /channels/{name}/members view',
      'GET /config view',
      'GET /routes view',
      'GET /channels/{name}/items tap',
      'GET /channels/{name}/history tap',
      'DELETE /channels/{name}/history disconnect',
      'GET /channels view',
      'GET /connections view',
      'GET /connections/{id+} view',
      'DELETE /connections/{id+} disconnect',
      'POST /connections/{id+} publish',
      'POST /connections/{id+}/subscribe subscribe',
      'POST /connections/{id+}/unsubscribe subscribe',
      'GET /users/{user+} view',
      'DELETE /users/{user+} disconnect',
      'POST /users/{user+} publish',
      'POST /tokens/revoke/? disconnect',
      'GET /drain/? view',
      'POST /drain/? disconnect',
      'DELETE /drain/? disconnect',
    ],
  );
});

t.test('without views and a drain their paths are not there', async (t) => {
  const paths = controlRoutes({ publisher, pushInHttpMaxBodySize: 1 }).map(({ path }) => path);
  t.strictSame(paths, ['/', '/publish/?', '/publish/{channel+}', '/recover/?']);
});
