import t from 'tap';
import { follow } from './quickstart.js';

t.test('the quick start for Express keeps its promise', (t) =>
  follow(t, { page: 'express', port: 3000, start: () => ({ command: process.execPath, args: ['server.mjs'] }) }),
);
