import { podRequests } from '../api/pods.ts';
import {
  type LabelRequirement,
  Selector,
  selectEverything,
  selectorFromLabelSelector,
} from '../api/selectors.ts';
import type {
  Container,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  Toleration,
} from '../api/types/core-v1.ts';
import type { LabelSelector } from '../api/types/meta-v1.ts';

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** One alternative of a node affinity: all of its requirements must hold. */
export interface NodeTerm {
  readonly labels: Selector;
  readonly fields: Selector;
}

/** A pod (anti-)affinity term, ready to match. */
export interface AffinityTerm {
  readonly topologyKey: string;
  readonly selector: Selector;
  readonly namespaces: ReadonlySet<string>;
  /** Further namespaces by their labels; undefined for none. */
  readonly namespaceSelector: Selector | undefined;
}

export interface SpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: Selector;
  readonly honorAffinity: boolean;
  readonly honorTaints: boolean;
}

/** Everything that scheduling reads of a pod, worked out once. */
export interface PodInfo {
  readonly pod: Pod;
  readonly uid: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly cpu: number;
  readonly memory: number;
  /** Other resources by name; undefined for none. */
  readonly others: Readonly<Record<string, number>> | undefined;
  /** CPU and memory for weighing, where a container that asks nothing counts a little. */
  readonly weighedCPU: number;
  readonly weighedMemory: number;
  readonly hostPorts: readonly HostPort[];
  readonly tolerations: readonly Toleration[];
  readonly affinity: readonly AffinityTerm[];
  readonly antiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly { weight: number; term: AffinityTerm }[];
}

/** What only a pod that is to be placed needs, worked out when it is. */
export interface PlacementInfo {
  /** The pod goes where one of these holds, and the node selector; undefined for anywhere. */
  readonly nodeTerms: readonly NodeTerm[] | undefined;
  readonly nodeSelector: Selector;
  readonly preferredNodes: readonly { weight: number; term: NodeTerm }[];
  readonly spread: readonly SpreadConstraint[];
  readonly preferredSpread: readonly SpreadConstraint[];
  readonly images: readonly string[];
}

/** What Kubernetes counts for a container that asks no CPU or memory, when nodes are weighed. */
const absent = { cpu: 100, memory: 200 * 1024 * 1024 };

const none: readonly never[] = [];

/** @throws {QuantityError} or {SelectorError} for a pod that validation should have refused */
export function podInfoOf(pod: Pod): PodInfo {
  const { spec, metadata } = pod;
  const { cpu = 0, memory = 0, ...rest } = podRequests(pod);
  const weighed = podRequests(pod, { absent });
  const namespace = metadata?.namespace ?? '';
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  const required = (terms: PodAffinityTerm[] | undefined) =>
    terms?.length ? terms.map((term) => affinityTermOf(term, namespace, metadata?.labels)) : none;
  const preferred = [
    ...(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? none).map((item) => ({
      item,
      sign: 1,
    })),
    ...(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? none).map((item) => ({
      item,
      sign: -1,
    })),
  ];
  const others = Object.entries(rest).filter(([, amount]) => amount > 0);
  return {
    pod,
    uid: metadata?.uid ?? '',
    namespace,
    labels: metadata?.labels ?? {},
    priority: spec?.priority ?? 0,
    cpu,
    memory,
    others: others.length ? Object.fromEntries(others) : undefined,
    weighedCPU: weighed.cpu ?? 0,
    weighedMemory: weighed.memory ?? 0,
    hostPorts: hostPortsOf(pod),
    tolerations: spec?.tolerations ?? none,
    affinity: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    antiAffinity: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: preferred.map(({ item, sign }) => ({
      weight: sign * item.weight,
      term: affinityTermOf(item.podAffinityTerm, namespace, metadata?.labels),
    })),
  };
}

export function placementInfoOf(pod: Pod): PlacementInfo {
  const { spec } = pod;
  const nodeAffinity = spec?.affinity?.nodeAffinity;
  const constraints = spec?.topologySpreadConstraints ?? [];
  const spreadOf = (mode: string) =>
    constraints
      .filter((constraint) => constraint.whenUnsatisfiable === mode)
      .map(
        (constraint): SpreadConstraint => ({
          topologyKey: constraint.topologyKey,
          maxSkew: constraint.maxSkew,
          minDomains: constraint.minDomains ?? 1,
          selector: withLabelKeys(constraint.labelSelector, constraint.matchLabelKeys, pod.metadata?.labels),
          honorAffinity: (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor',
          honorTaints: constraint.nodeTaintsPolicy === 'Honor',
        }),
      );
  return {
    nodeTerms:
      nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms.flatMap(nodeTermOf),
    nodeSelector: new Selector(
      Object.entries(spec?.nodeSelector ?? {}).map(([key, value]) => ({
        key,
        operator: '=',
        values: [value],
      })),
    ),
    preferredNodes: (nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap((item) =>
      nodeTermOf(item.preference).map((term) => ({ weight: item.weight, term })),
    ),
    spread: spreadOf('DoNotSchedule'),
    preferredSpread: spreadOf('ScheduleAnyway'),
    images: [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].flatMap(
      ({ image }) => image ?? [],
    ),
  };
}

const operators: Readonly<Record<string, LabelRequirement['operator']>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
  Gt: 'gt',
  Lt: 'lt',
};

function selectorOf(requirements: readonly NodeSelectorRequirement[] | undefined): Selector {
  return new Selector(
    (requirements ?? []).map(({ key, operator, values }) => ({
      key,
      operator: operators[operator] ?? 'in',
      values: values ?? [],
    })),
  );
}

/** An empty term matches no node, so it is left out. */
function nodeTermOf(term: NodeSelectorTerm): NodeTerm[] {
  if (!term.matchExpressions?.length && !term.matchFields?.length) return [];
  return [{ labels: selectorOf(term.matchExpressions), fields: selectorOf(term.matchFields) }];
}

/** The selector narrowed to the pod's own values of some keys, as `matchLabelKeys` asks. */
function withLabelKeys(
  selector: LabelSelector | undefined,
  keys: readonly string[] | undefined,
  labels: Readonly<Record<string, string>> | undefined,
): Selector {
  const base = selectorFromLabelSelector(selector);
  const more = (keys ?? []).flatMap((key): LabelRequirement[] => {
    const value = labels?.[key];
    return value === undefined ? [] : [{ key, operator: '=', values: [value] }];
  });
  return more.length && selector ? new Selector([...base.requirements, ...more]) : base;
}

function affinityTermOf(
  term: PodAffinityTerm,
  namespace: string,
  labels: Readonly<Record<string, string>> | undefined,
): AffinityTerm {
  const own = !term.namespaces?.length && !term.namespaceSelector;
  let selector = withLabelKeys(term.labelSelector, term.matchLabelKeys, labels);
  const unlike = (term.mismatchLabelKeys ?? []).flatMap((key): LabelRequirement[] => {
    const value = labels?.[key];
    return value === undefined ? [] : [{ key, operator: 'notin', values: [value] }];
  });
  if (unlike.length && term.labelSelector) selector = new Selector([...selector.requirements, ...unlike]);
  return {
    topologyKey: term.topologyKey,
    selector,
    namespaces: new Set(own ? [namespace] : term.namespaces),
    namespaceSelector: term.namespaceSelector
      ? Object.keys(term.namespaceSelector).length
        ? selectorFromLabelSelector(term.namespaceSelector)
        : selectEverything
      : undefined,
  };
}

function hostPortsOf(pod: Pod): readonly HostPort[] {
  const ports: HostPort[] = [];
  const collect = (container: Container) => {
    for (const port of container.ports ?? none)
      if (port.hostPort)
        ports.push({ ip: port.hostIP || '0.0.0.0', protocol: port.protocol ?? 'TCP', port: port.hostPort });
  };
  for (const container of pod.spec?.containers ?? none) collect(container);
  for (const container of pod.spec?.initContainers ?? none)
    if (container.restartPolicy === 'Always') collect(container);
  return ports.length ? ports : none;
}
