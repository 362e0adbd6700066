import { untoleratedTaint } from '../api/taints.ts';
import type { Taint } from '../api/types/core-v1.ts';
import { filterInterPodAffinity } from './inter-pod-affinity.ts';
import { matchesNodeAffinity } from './node-affinity.ts';
import type { NodeInfo } from './node-info.ts';
import type { Filter, FilterName, Rejection } from './plugin.ts';
import { filterTopologySpread } from './topology-spread.ts';

const rejection = (reason: string, resolvable: boolean): Rejection => ({ reasons: [reason], resolvable });

const unschedulable = rejection('node(s) were unschedulable', false);
const wrongName = rejection("node(s) didn't match the requested node name", false);
const wrongAffinity = rejection("node(s) didn't match Pod's node affinity/selector", false);
const portTaken = rejection("node(s) didn't have free ports for the requested pod ports", true);

const unschedulableTaint: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

const nodeUnschedulable: Filter = ({ info }) => {
  if (!untoleratedTaint([unschedulableTaint], info.tolerations, ['NoSchedule'])) return undefined;
  return (node) => (node.unschedulable ? unschedulable : undefined);
};

const nodeName: Filter = ({ info }) => {
  const wanted = info.pod.spec?.nodeName;
  return wanted ? (node) => (node.name === wanted ? undefined : wrongName) : undefined;
};

const taintToleration: Filter = ({ info }) => {
  const tolerations = info.tolerations;
  return (node) => {
    if (!node.hardTaints.length) return undefined;
    const taint = untoleratedTaint(node.hardTaints, tolerations, ['NoSchedule', 'NoExecute']);
    return taint && rejection(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`, false);
  };
};

const nodeAffinity: Filter = ({ wants }) => {
  if (!wants.nodeTerms && !wants.nodeSelector.requirements.length) return undefined;
  return (node) => (matchesNodeAffinity(wants, node) ? undefined : wrongAffinity);
};

const nodePorts: Filter = ({ info }) => {
  const { hostPorts } = info;
  if (!hostPorts.length) return undefined;
  return (node) => (hostPorts.some((port) => node.hasPort(port)) ? portTaken : undefined);
};

const nodeResourcesFit: Filter = ({ info }) => {
  const { cpu, memory, others } = info;
  return (node) => {
    // The common case decides without making anything.
    if (
      node.pods.size < node.allowedPods &&
      (!cpu || cpu <= node.allocatableCPU - node.cpu) &&
      (!memory || memory <= node.allocatableMemory - node.memory) &&
      !others
    )
      return undefined;
    return insufficient(info, node);
  };
};

function insufficient(info: Parameters<Filter>[0]['info'], node: NodeInfo): Rejection | undefined {
  const reasons: string[] = [];
  let resolvable = true;
  const check = (resource: string, wanted: number, allocatable: number, used: number) => {
    if (!wanted || wanted <= allocatable - used) return;
    reasons.push(`Insufficient ${resource}`);
    // More than the whole node: no pod that goes makes room for it.
    if (wanted > allocatable) resolvable = false;
  };
  if (node.pods.size >= node.allowedPods) reasons.push('Too many pods');
  check('cpu', info.cpu, node.allocatableCPU, node.cpu);
  check('memory', info.memory, node.allocatableMemory, node.memory);
  for (const resource in info.others)
    check(
      resource,
      info.others[resource]!,
      node.allocatableOthers[resource] ?? 0,
      node.others.get(resource) ?? 0,
    );
  return reasons.length ? { reasons, resolvable } : undefined;
}

/** All filters by name: those that reject a pod decide what may wake it again. */
export const filters: Readonly<Record<FilterName, Filter>> = {
  NodeUnschedulable: nodeUnschedulable,
  NodeName: nodeName,
  TaintToleration: taintToleration,
  NodeAffinity: nodeAffinity,
  NodePorts: nodePorts,
  NodeResourcesFit: nodeResourcesFit,
  PodTopologySpread: filterTopologySpread,
  InterPodAffinity: filterInterPodAffinity,
};
