import type { Node, Pod, Toleration } from '../../api/types/core-v1.ts';
import { forbidden } from '../rest/api-error.ts';
import type { AdmissionPlugin } from './chain.ts';

const tolerated = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const tolerationSeconds = 300;

/** Pods stay on a node that went silent for five minutes, unless they say otherwise. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  admit({ operation, served, subresource, object }) {
    if (served.kind.plural !== 'pods' || served.kind.group || subresource || operation === 'DELETE') return;
    const { spec } = object as Pod;
    if (!spec) return;
    const covers = (toleration: Toleration, key: string): boolean =>
      (!toleration.key || toleration.key === key) &&
      (!toleration.effect || toleration.effect === 'NoExecute');
    for (const key of tolerated) {
      if (spec.tolerations?.some((toleration) => covers(toleration, key))) continue;
      spec.tolerations ??= [];
      spec.tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds });
    }
  },
};

const systemPriorities: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

/** Resolves `priorityClassName` to a number. Only the two built-in classes exist. */
export const priority: AdmissionPlugin = {
  name: 'Priority',
  admit({ operation, served, subresource, name, object, oldObject }) {
    if (operation === 'DELETE' || served.kind.plural !== 'pods' || served.kind.group || subresource) return;
    const { spec } = object as Pod;
    if (!spec) return;
    if (operation === 'UPDATE') {
      // Set here on creation, so a client need not send it back.
      const before = (oldObject as Pod).spec;
      spec.priority ??= before?.priority;
      spec.preemptionPolicy ??= before?.preemptionPolicy;
      return;
    }
    const className = spec.priorityClassName;
    const value = className ? systemPriorities[className] : 0;
    if (value === undefined)
      throw forbidden(served.kind, name, `no PriorityClass with name ${className} was found`);
    if (spec.priority !== undefined && spec.priority !== value)
      throw forbidden(
        served.kind,
        name,
        `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      );
    spec.priority = value;
    spec.preemptionPolicy ??= 'PreemptLowerPriority';
  },
};

const notReady = 'node.kubernetes.io/not-ready';

/** A new node takes no pods before the node controller has seen it ready. */
export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  admit({ operation, served, object }) {
    if (operation !== 'CREATE' || served.kind.plural !== 'nodes' || served.kind.group) return;
    const node = object as Node;
    node.spec ??= {};
    node.spec.taints ??= [];
    if (node.spec.taints.some((taint) => taint.key === notReady && taint.effect === 'NoSchedule')) return;
    node.spec.taints.push({ key: notReady, effect: 'NoSchedule' });
  },
};
