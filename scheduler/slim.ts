import { findCondition } from '../api/conditions.ts';
import type { Container, Node, Pod } from '../api/types/core-v1.ts';

/** What scheduling reads of a container. */
const slimContainer = ({ name, image, resources, ports, restartPolicy }: Container): Container => ({
  name,
  ...(image && { image }),
  ...(resources && { resources }),
  ...(ports && { ports }),
  ...(restartPolicy && { restartPolicy }),
});

/** The pod without what scheduling never reads: the scheduler keeps every pod of the cluster in memory. */
export function slimPod(pod: Pod): Pod {
  const { metadata, spec, status } = pod;
  const scheduled = findCondition(status?.conditions, 'PodScheduled');
  const { name, namespace, uid, resourceVersion, labels, deletionTimestamp } = metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ...(labels && { labels }),
      ...(deletionTimestamp && { deletionTimestamp }),
    },
    spec: {
      containers: (spec?.containers ?? []).map(slimContainer),
      ...(spec?.initContainers && { initContainers: spec.initContainers.map(slimContainer) }),
      ...(spec?.nodeName && { nodeName: spec.nodeName }),
      ...(spec?.nodeSelector && { nodeSelector: spec.nodeSelector }),
      ...(spec?.affinity && { affinity: spec.affinity }),
      ...(spec?.tolerations && { tolerations: spec.tolerations }),
      ...(spec?.topologySpreadConstraints && { topologySpreadConstraints: spec.topologySpreadConstraints }),
      ...(spec?.schedulerName && { schedulerName: spec.schedulerName }),
      ...(spec?.schedulingGates && { schedulingGates: spec.schedulingGates }),
      ...(spec?.priority && { priority: spec.priority }),
      ...(spec?.preemptionPolicy && { preemptionPolicy: spec.preemptionPolicy }),
      ...(spec?.overhead && { overhead: spec.overhead }),
      ...(spec?.resources && { resources: spec.resources }),
    },
    status: {
      ...(status?.phase && { phase: status.phase }),
      ...(scheduled && { conditions: [scheduled] }),
    },
  };
}

/** The node without its heartbeat and its description. */
export function slimNode(node: Node): Node {
  const { name, uid, resourceVersion, labels } = node.metadata ?? {};
  const { allocatable, images } = node.status ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid, resourceVersion, ...(labels && { labels }) },
    spec: {
      ...(node.spec?.taints && { taints: node.spec.taints }),
      ...(node.spec?.unschedulable && { unschedulable: true }),
    },
    status: { ...(allocatable && { allocatable }), ...(images && { images }) },
  };
}
