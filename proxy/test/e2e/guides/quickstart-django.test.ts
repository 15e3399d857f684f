import t from 'tap';
import { follow } from './quickstart.js';

/** What a project has beside the files of the page. */
const manage = `import sys
from django.conf import settings
from django.core.management import execute_from_command_line
settings.configure(ROOT_URLCONF="urls", SECRET_KEY="test", DEBUG=True, ALLOWED_HOSTS=["*"], USE_TZ=True)
execute_from_command_line(sys.argv)
`;

t.test('the quick start for Django keeps its promise', (t) =>
  follow(t, {
    page: 'django',
    port: 8000,
    files: { 'manage.py': manage },
    start: (port) => ({
      command: '/usr/bin/python3',
      args: ['manage.py', 'runserver', '--noreload', `127.0.0.1:${port}`],
    }),
  }),
);
