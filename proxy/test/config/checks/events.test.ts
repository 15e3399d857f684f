/** The options about events: what is refused, and with what words. */
import t from 'tap';
import { failure, load, yaml } from '../fixture.js';

const KEY = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const whole = (more: string) => yaml(`routes: ['* test']\nevents_key: ${KEY}\n${more}`);

t.test('with a URL and a key events are on, by default those of channels', async (t) => {
  const { config, warnings } = load(t, whole('events_url: https://hooks.example/a?b=c'));
  t.match(config, {
    eventsUrl: 'https://hooks.example/a?b=c',
    eventsKey: KEY,
    events: ['channel_occupied', 'channel_vacated'],
    eventsChannels: [],
    eventsVacatedDelay: 5_000,
    eventsBatchMax: 100,
    eventsBatchWait: 1_000,
  });
  t.strictSame(warnings, []);
});

t.test('without a URL there are none, and an empty one is none', async (t) => {
  t.equal(load(t, yaml("routes: ['* test']")).config.eventsUrl, undefined);
  t.equal(load(t, whole('events_url: ""')).config.eventsUrl, undefined);
});

for (const [more, code, reason] of [
  ['events_url: ftp://a/', 'ERR_CONFIG_VALUE', /begins with https:\/\/ or http:\/\//],
  ['events_url: hooks.example', 'ERR_CONFIG_VALUE', /got "hooks\.example"/],
  ['events_url: https://user:pass@hooks.example/', 'ERR_CONFIG_VALUE', /no user and no password/],
  ['events: [channel_vacant]', 'ERR_CONFIG_VALUE', /no event "channel_vacant": did you mean channel_vacated\?/],
  ['events_batch_max: 0', 'ERR_CONFIG_VALUE', /events_batch_max/],
] as const) {
  t.test(`${more} is refused`, async (t) => {
    const { problems } = failure(t, whole(more));
    t.match(problems, [{ code, message: reason }]);
  });
}

t.test('a URL without a key is refused', async (t) => {
  const { problems } = failure(t, yaml("routes: ['* test']\nevents_url: https://hooks.example/"));
  t.match(problems, [{ code: 'ERR_CONFIG_CONFLICT', message: /set events_key or events_key_file/ }]);
});

t.test('a key of another form is refused and not shown', async (t) => {
  const { problems } = failure(t, yaml("routes: ['* test']\nevents_key: hunter2"));
  t.match(problems, [{ code: 'ERR_CONFIG_KEY', message: /must be whsec_/ }]);
  t.notMatch(JSON.stringify(problems), 'hunter2');
});

t.test('without TLS, others on the way can read: a warning, but on the same machine', async (t) => {
  t.match(load(t, whole('events_url: http://hooks.example/')).warnings, [/without TLS/]);
  t.strictSame(load(t, whole('events_url: http://localhost:1/')).warnings, []);
  t.strictSame(load(t, whole('events_url: http://127.0.0.1:1/')).warnings, []);
});
