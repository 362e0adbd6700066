import fc from 'fast-check';
import t from 'tap';
import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import { aDeployment, aTemplate, at } from '../testing/objects.ts';
import { planDeployment } from './plan.ts';
import { maxSurge, maxUnavailable, replicasOf, specReplicas } from './sizes.ts';

/** A Deployment with its ReplicaSets, whose pods come up one after the other. */
class World {
  deployment: Deployment;
  replicaSets: ReplicaSet[] = [];
  #created = 0;
  #now = 0;

  constructor(deployment: Deployment) {
    this.deployment = deployment;
  }

  /** One sync of the controller. Returns whether it changed anything. */
  sync(): boolean {
    this.#now += 1000;
    const plan = planDeployment(
      { deployment: this.deployment, replicaSets: this.replicaSets, pods: new Map() },
      this.#now,
    );
    for (const action of plan.actions) {
      const { replicaSet } = action;
      const name = replicaSet.metadata?.name;
      const others = this.replicaSets.filter((item) => item.metadata?.name !== name);
      if (action.type === 'delete') this.replicaSets = others;
      else if (action.type === 'update') this.replicaSets = [...others, replicaSet];
      else {
        const metadata = {
          ...replicaSet.metadata,
          uid: `uid-${name}`,
          creationTimestamp: at(++this.#created),
        };
        this.replicaSets = [...others, { ...replicaSet, metadata, status: { replicas: 0 } }];
      }
    }
    this.deployment = { ...this.deployment, status: plan.status };
    return plan.actions.length > 0;
  }

  /** The ReplicaSet controller and the kubelets make progress on one ReplicaSet. */
  advance(choice: number, broken: (replicaSet: ReplicaSet) => boolean): boolean {
    const lagging = this.replicaSets.filter((item) => {
      const available = broken(item) ? 0 : replicasOf(item);
      return item.status?.replicas !== replicasOf(item) || (item.status.availableReplicas ?? 0) !== available;
    });
    const chosen = lagging[choice % Math.max(1, lagging.length)];
    if (!chosen) return false;
    const size = replicasOf(chosen);
    const before = Math.min(chosen.status?.availableReplicas ?? 0, size);
    const availableReplicas = broken(chosen) ? 0 : Math.min(size, before + 1);
    const status = { replicas: size, readyReplicas: availableReplicas, availableReplicas };
    this.replicaSets = this.replicaSets.map((item) => (item === chosen ? { ...chosen, status } : item));
    return true;
  }

  /** Lets everybody work until nothing changes any more. */
  settle(choices: readonly number[], check: () => void, broken: (item: ReplicaSet) => boolean = () => false) {
    for (let i = 0; i < 2000; i++) {
      const planned = this.sync();
      check();
      const advanced = this.advance(choices[i % choices.length] ?? 0, broken);
      if (!planned && !advanced) return;
    }
    throw new Error('the rollout does not come to rest');
  }

  available(): number {
    return this.replicaSets.reduce(
      (sum, item) => sum + Math.min(item.status?.availableReplicas ?? 0, replicasOf(item)),
      0,
    );
  }
}

const arbitrary = fc.record({
  replicas: fc.integer({ min: 0, max: 12 }),
  surge: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('0%', '25%', '50%', '100%')),
  unavailable: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('0%', '25%', '100%')),
  choices: fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }),
  images: fc.array(fc.constantFrom('web:1', 'web:2', 'web:3'), { minLength: 1, maxLength: 4 }),
});

t.test('any series of rollouts keeps its bounds and ends with the last template alone', async (t) => {
  fc.assert(
    fc.property(arbitrary, ({ replicas, surge, unavailable, choices, images }) => {
      const spec = {
        replicas,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } },
      };
      const world = new World(aDeployment(spec));
      world.settle(choices, () => undefined);
      for (const image of images) {
        world.deployment = aDeployment(
          { ...spec, template: aTemplate(image) },
          { status: world.deployment.status!, metadata: { generation: 1 } },
        );
        const floor = replicas - maxUnavailable(world.deployment);
        world.settle(choices, () => {
          if (specReplicas(world.replicaSets) > replicas + maxSurge(world.deployment))
            throw new Error('more pods than the surge allows');
          if (world.available() < floor) throw new Error('fewer available pods than promised');
        });
        const running = world.replicaSets.filter((item) => replicasOf(item) > 0);
        if (specReplicas(running) !== replicas) throw new Error('not the desired number');
        if (running.some((item) => item.spec?.template?.spec?.containers[0]?.image !== image))
          throw new Error('an old template still runs');
      }
    }),
    { numRuns: 150 },
  );
  t.pass('150 random series');
});

t.test('a template that never comes up leaves the old one serving', async (t) => {
  const world = new World(aDeployment({ replicas: 10 }));
  world.settle([0], () => undefined);
  world.deployment = aDeployment(
    { replicas: 10, template: aTemplate('broken') },
    { status: world.deployment.status! },
  );
  const isBroken = (item: ReplicaSet) => item.spec?.template?.spec?.containers[0]?.image === 'broken';
  world.settle([0, 1], () => t.ok(world.available() >= 8), isBroken);
  t.match(world.deployment.status, { updatedReplicas: 5, availableReplicas: 8 });
});
