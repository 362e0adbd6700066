import t from 'tap';
import type { ResourceRequirements } from '../../api/types/core-v1.ts';
import { qosClass } from './qos.ts';

const of = (...resources: ResourceRequirements[]) =>
  qosClass({ containers: resources.map((one, i) => ({ name: `c${i}`, resources: one })) });

t.test('quality of service', async (t) => {
  const full = { limits: { cpu: '1', memory: '1Gi' } };
  t.equal(of({}), 'BestEffort');
  t.equal(of(full), 'Guaranteed');
  t.equal(of({ ...full, requests: { cpu: '1000m', memory: '1024Mi' } }), 'Guaranteed');
  t.equal(of({ ...full, requests: { cpu: '500m' } }), 'Burstable');
  t.equal(of({ requests: { memory: '1Mi' } }), 'Burstable');
  t.equal(of({ limits: { cpu: '1' } }), 'Burstable');
  t.equal(of(full, {}), 'Burstable');
  t.equal(of({ requests: { cpu: '0' } }), 'BestEffort');
});
