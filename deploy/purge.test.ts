import t from 'tap';
import { mountsUnder } from './purge.ts';

const mountinfo = `22 1 8:1 / / rw - ext4 /dev/sda1 rw
40 22 0:30 / /data/kubelet/pods/1/volumes/secret rw - tmpfs tmpfs rw
41 40 0:31 / /data/kubelet/pods/1/volumes/secret/sub\\040folder rw - tmpfs tmpfs rw
42 22 0:32 / /database rw - tmpfs tmpfs rw`;

t.test('mounts below a directory are named the deepest first, those beside it not', async (t) => {
  t.same(mountsUnder('/data', mountinfo), [
    '/data/kubelet/pods/1/volumes/secret/sub folder',
    '/data/kubelet/pods/1/volumes/secret',
  ]);
});
