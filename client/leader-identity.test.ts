import t from 'tap';
import { leaderIdentity } from './leader-identity.ts';

t.test('the holder of a port has an identity that outlives it', async (t) => {
  const held = { address: '127.0.0.1', port: 10259 };
  t.equal(leaderIdentity(held), leaderIdentity({ ...held }));
  t.not(leaderIdentity(held), leaderIdentity({ ...held, port: 10260 }));
  t.not(leaderIdentity(held), leaderIdentity({ ...held, address: '192.0.2.1' }));
});

t.test('without a port each identity is new', async (t) => {
  t.not(leaderIdentity(undefined), leaderIdentity(undefined));
});
