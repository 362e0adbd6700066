import { setTimeout as delay } from 'node:timers/promises';
import { setCondition } from '../../api/conditions.ts';
import { keyOf } from '../../api/object.ts';
import { nodes, pods as podResource } from '../../api/resources.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';
import type { ApiClient } from '../../client/api-client.ts';
import type { Informer } from '../../client/informer.ts';
import type { Log } from '../../client/log.ts';
import { isNotFound } from '../../client/status-error.ts';
import { forEachAtOnce } from '../common/batches.ts';
import type { Controller, ControllerContext, ControllerDeclaration } from '../common/context.ts';
import { isPodTerminal } from '../common/pod-state.ts';
import { timestamp } from '../common/time.ts';
import { planCollection, quarantine } from './plan.ts';

/** Milliseconds between looks; nothing here is urgent. */
const period = 20_000;

/** Why a pod is given up, as its `DisruptionTarget` condition says it. */
const lostNode = {
  type: 'DisruptionTarget',
  status: 'True',
  reason: 'DeletionByPodGC',
  message: 'PodGC: node no longer exists',
};

/** Deletes pods that no kubelet and no controller will ever delete. */
class PodCollector implements Controller {
  readonly #client: ApiClient;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #threshold: number;
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  /** By name: since when a node has been missing. */
  readonly #missingSince = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#client = context.client;
    this.#log = context.log;
    this.#now = context.now;
    this.#threshold = context.flags['terminated-pod-gc-threshold'];
    this.#nodes = context.informers.informer(nodes);
    this.#pods = context.informers.informer(podResource);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#collect();
      await delay(period, undefined, { signal }).catch(() => undefined);
    }
  }

  async #collect(): Promise<void> {
    const plan = planCollection({
      pods: this.#pods.values(),
      nodeOf: (name) => this.#nodes.get(name),
      threshold: this.#threshold,
    });
    const lost = await this.#lostNodes(plan.orphaned);
    const orphaned = plan.orphaned.filter((pod) => lost.has(pod.spec?.nodeName ?? ''));
    await this.#delete([...plan.terminated, ...plan.unscheduled, ...plan.outOfService], false);
    await this.#delete(orphaned, true);
  }

  /** Nodes that have been missing for long enough and that the server does not know either. */
  async #lostNodes(orphaned: readonly Pod[]): Promise<Set<string>> {
    const missing = new Set(orphaned.map((pod) => pod.spec?.nodeName ?? ''));
    for (const name of this.#missingSince.keys()) if (!missing.has(name)) this.#missingSince.delete(name);
    const lost = new Set<string>();
    for (const name of missing) {
      const since = this.#missingSince.get(name) ?? this.#now();
      this.#missingSince.set(name, since);
      if (this.#now() - since < quarantine) continue;
      try {
        await this.#client.get(nodes, { name });
      } catch (error) {
        if (isNotFound(error)) lost.add(name);
        else this.#log.warn({ node: name, err: (error as Error).message }, 'cannot look a missing node up');
      }
    }
    return lost;
  }

  async #delete(pods: readonly Pod[], nodeLost: boolean): Promise<void> {
    const failures = await forEachAtOnce(pods, 16, async (pod) => {
      const { name = '', namespace, uid } = pod.metadata ?? {};
      this.#log.info({ pod: keyOf(pod), phase: pod.status?.phase }, 'collecting pod');
      try {
        if (!isPodTerminal(pod)) await this.#markFailed(pod, nodeLost);
        await this.#client.delete(
          podResource,
          { name, namespace },
          { gracePeriodSeconds: 0, preconditions: { uid } },
        );
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    });
    for (const error of failures) this.#log.warn({ err: (error as Error).message }, 'cannot collect pod');
  }

  /** Whoever counts pods sees an end, not a disappearance. */
  async #markFailed(pod: Pod, nodeLost: boolean): Promise<void> {
    const conditions = nodeLost
      ? setCondition(pod.status?.conditions, lostNode, timestamp(this.#now()))
      : pod.status?.conditions;
    const status = { ...pod.status, phase: 'Failed', conditions };
    await this.#client.update(podResource, { ...pod, status }, { subresource: 'status' });
  }
}

export const podCollector: ControllerDeclaration = {
  name: 'pod-garbage-collector-controller',
  aliases: ['podgc'],
  setUp: (context) => new PodCollector(context),
};
