import type { Cluster } from './cluster.ts';
import type { NodeInfo } from './node-info.ts';
import { type Filter, type Placement, type Rejection, type Score, scaleToMost } from './plugin.ts';
import type { AffinityTerm, PodInfo } from './pod-info.ts';

const noAffinity: Rejection = { reasons: ["node(s) didn't match pod affinity rules"], resolvable: false };
const ownAnti: Rejection = { reasons: ["node(s) didn't match pod anti-affinity rules"], resolvable: true };
const othersAnti: Rejection = {
  reasons: ["node(s) didn't satisfy existing pods anti-affinity rules"],
  resolvable: true,
};

/** Whether a term of one pod speaks of another. */
export function termMatches(term: AffinityTerm, info: PodInfo, cluster: Cluster): boolean {
  if (!term.selector.matches(info.labels)) return false;
  if (term.namespaces.has(info.namespace)) return true;
  return term.namespaceSelector?.matches(cluster.namespaceLabels(info.namespace) ?? {}) ?? false;
}

/** How many pods speak for a value of a label: `key\0value`. */
type Topology = Map<string, number>;

const pairOf = (term: AffinityTerm, node: NodeInfo): string | undefined => {
  const value = node.labels[term.topologyKey];
  return value === undefined ? undefined : `${term.topologyKey}\0${value}`;
};

function count(topology: Topology, term: AffinityTerm, node: NodeInfo, by: number): void {
  const pair = pairOf(term, node);
  if (pair !== undefined) topology.set(pair, (topology.get(pair) ?? 0) + by);
}

/** Where existing pods refuse to be near this one. */
function refusedBy({ info, cluster }: Placement): Topology {
  const topology: Topology = new Map();
  for (const node of cluster.nodes)
    for (const other of node.withAffinity)
      for (const term of other.antiAffinity)
        if (termMatches(term, info, cluster)) count(topology, term, node, 1);
  return topology;
}

/** Where there are pods that all terms (affinity) or some term (anti-affinity) of this one speak of. */
function spokenOf({ cluster }: Placement, terms: readonly AffinityTerm[], all: boolean): Topology {
  const topology: Topology = new Map();
  if (!terms.length) return topology;
  for (const node of cluster.nodes)
    for (const other of node.pods.values()) {
      const matching = terms.filter((term) => termMatches(term, other, cluster));
      if (all && matching.length < terms.length) continue;
      for (const term of matching) count(topology, term, node, 1);
    }
  return topology;
}

/** Required affinity and anti-affinity between pods, in both directions. */
export const filterInterPodAffinity: Filter = (placement) => {
  const { info, cluster } = placement;
  const refused = refusedBy(placement);
  const { affinity, antiAffinity } = info;
  if (!refused.size && !affinity.length && !antiAffinity.length) return undefined;
  const wanted = spokenOf(placement, affinity, true);
  const unwanted = spokenOf(placement, antiAffinity, false);
  // The first of a group that wants to be near itself must not wait for another.
  const first =
    !wanted.size && affinity.length > 0 && affinity.every((term) => termMatches(term, info, cluster));
  return (node) => {
    for (const term of affinity) {
      const pair = pairOf(term, node);
      if (pair === undefined || (!wanted.has(pair) && !first)) return noAffinity;
    }
    for (const term of antiAffinity) {
      const pair = pairOf(term, node);
      if (pair !== undefined && unwanted.has(pair)) return ownAnti;
    }
    if (refused.size)
      for (const key in node.labels) if (refused.has(`${key}\0${node.labels[key]}`)) return othersAnti;
    return undefined;
  };
};

/** Weight of required affinity of existing pods when nodes are weighed, as Kubernetes' default. */
const hardWeight = 1;

/** Preferred affinity: this pod's terms about others, and theirs about this one. */
export const scoreInterPodAffinity: Score = ({ info, cluster }) => {
  const topology: Topology = new Map();
  const own = info.preferredAffinity;
  for (const node of cluster.nodes) {
    if (own.length)
      for (const other of node.pods.values())
        for (const { weight, term } of own)
          if (termMatches(term, other, cluster)) count(topology, term, node, weight);
    for (const other of node.withAffinity) {
      for (const term of other.affinity)
        if (termMatches(term, info, cluster)) count(topology, term, node, hardWeight);
      for (const { weight, term } of other.preferredAffinity)
        if (termMatches(term, info, cluster)) count(topology, term, node, weight);
    }
  }
  if (!topology.size) return undefined;
  return (nodes, points) => {
    let least = Number.POSITIVE_INFINITY;
    for (const [i, node] of nodes.entries()) {
      let sum = 0;
      for (const key in node.labels) sum += topology.get(`${key}\0${node.labels[key]}`) ?? 0;
      points[i] = sum;
      least = Math.min(least, sum);
    }
    for (let i = 0; i < nodes.length; i++) points[i] = points[i]! - least;
    scaleToMost(points, nodes.length);
  };
};
