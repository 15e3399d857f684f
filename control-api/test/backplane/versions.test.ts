import t from 'tap';
import { ChannelVersions } from '../../dist/backplane/versions.js';
import { LocalBackplane, silentLog } from '../../dist/index.js';
import { rememberedIds } from '../items.js';
import { RecordingListener } from '../recorder.js';
import { versionContract, versioned } from './versions.js';

versionContract(t, 'local', async (t) => {
  const backplane = new LocalBackplane(silentLog, rememberedIds());
  t.teardown(() => backplane.close());
  await backplane.start(new RecordingListener());
  return backplane;
});

t.test('beyond the limit that of the channel with the oldest versioned item is forgotten', async (t) => {
  const versions = new ChannelVersions(2);
  const stale = (channel: string) => versions.isStale({ ...versioned(1).item, channel });
  t.strictSame(['a', 'b', 'c'].map(stale), [false, false, false]);
  t.strictSame(['b', 'c'].map(stale), [true, true]);
  t.equal(stale('a'), false);
});
