import t from 'tap';
import { follow } from './quickstart.js';

t.test('the quick start for Flask keeps its promise', (t) =>
  follow(t, { page: 'flask', port: 5000, start: () => ({ command: '/usr/bin/python3', args: ['app.py'] }) }),
);
