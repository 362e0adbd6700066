import t from 'tap';
import type { PodSecurityContext, SecurityContext } from '../../api/types/core-v1.ts';
import { containerUser } from './container-user.ts';

const user = (own: SecurityContext, imageUser = '', shared: PodSecurityContext = {}) =>
  containerUser(
    { metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec: { containers: [], securityContext: shared } },
    { name: 'c', securityContext: own },
    imageUser,
  );

t.test('whom a container runs as', async (t) => {
  const cases: [string, SecurityContext, string, PodSecurityContext, string | undefined][] = [
    ["the image's own", {}, 'web', {}, undefined],
    ["the container's", { runAsUser: 5 }, 'web', { runAsUser: 6 }, '5'],
    ["the pod's", {}, 'web', { runAsUser: 6, runAsGroup: 7 }, '6:7'],
    ["its own group before the pod's", { runAsUser: 5, runAsGroup: 8 }, '', { runAsGroup: 7 }, '5:8'],
    ["a group beside the image's user", { runAsGroup: 8 }, 'web:9', {}, 'web:8'],
    ['a group beside root', { runAsGroup: 8 }, '', {}, '0:8'],
    ['root by name', { runAsUser: 0 }, 'web', {}, '0'],
    ['a numeric image user is not root', { runAsNonRoot: true }, '1000', {}, undefined],
    ['a user that is not root', { runAsUser: 3 }, '', { runAsNonRoot: true }, '3'],
    [
      'the container may lift what the pod asks',
      { runAsNonRoot: false },
      '',
      { runAsNonRoot: true },
      undefined,
    ],
  ];
  for (const [title, own, image, shared, expected] of cases)
    t.equal(user(own, image, shared), expected, title);
});

t.test('root is refused in the kubelet’s words', async (t) => {
  const where = '(pod: "p_n(u)", container: c)';
  t.throws(() => user({ runAsNonRoot: true }), {
    message: `container has runAsNonRoot and image will run as root ${where}`,
  });
  t.throws(() => user({ runAsNonRoot: true }, '0:5'), { message: /image will run as root/ });
  t.throws(() => user({ runAsNonRoot: true, runAsUser: 0 }), {
    message: `container's runAsUser breaks non-root policy ${where}`,
  });
  t.throws(() => user({ runAsNonRoot: true }, 'web'), {
    message: `container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root ${where}`,
  });
});
