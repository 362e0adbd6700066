import { toleratesTaint } from '../api/taints.ts';
import { scoreInterPodAffinity } from './inter-pod-affinity.ts';
import { matchesNodeTerm } from './node-affinity.ts';
import type { NodeInfo } from './node-info.ts';
import { type Score, scaleToMost } from './plugin.ts';
import type { PodInfo } from './pod-info.ts';
import { scoreTopologySpread } from './topology-spread.ts';

const share = (used: number, allocatable: number): number =>
  allocatable > 0 ? Math.min(used / allocatable, 1) : 0;

const cpuShare = (info: PodInfo, node: NodeInfo) =>
  share(node.weighedCPU + info.weighedCPU, node.allocatableCPU);
const memoryShare = (info: PodInfo, node: NodeInfo) =>
  share(node.weighedMemory + info.weighedMemory, node.allocatableMemory);

/**
 * Fuller nodes first, so that pods pack and nodes empty out; and of those, nodes whose CPU and memory would be
 * used alike. Kubernetes' NodeResourcesFit (MostAllocated) and NodeResourcesBalancedAllocation in one pass.
 */
const allocation: Score =
  ({ info }) =>
  (nodes, points) => {
    for (let i = 0; i < nodes.length; i++) {
      const cpu = cpuShare(info, nodes[i]!);
      const memory = memoryShare(info, nodes[i]!);
      const balance = 1 - Math.abs(cpu - memory) / 2;
      points[i] = Math.floor(50 * (cpu + memory)) + Math.floor(100 * balance);
    }
  };

/** Nodes with fewer `PreferNoSchedule` taints that the pod does not tolerate first. */
const taintToleration: Score = ({ info, cluster }) => {
  if (!cluster.nodes.some((node) => node.softTaints.length)) return undefined;
  return (nodes, points) => {
    for (const [i, node] of nodes.entries())
      points[i] = node.softTaints.filter((taint) => !toleratesTaint(info.tolerations, taint)).length;
    scaleToMost(points, nodes.length);
    for (let i = 0; i < nodes.length; i++) points[i] = 100 - points[i]!;
  };
};

/** Nodes that preferred node affinity likes first. */
const nodeAffinity: Score = ({ wants }) => {
  if (!wants.preferredNodes.length) return undefined;
  return (nodes, points) => {
    for (const [i, node] of nodes.entries())
      points[i] = wants.preferredNodes.reduce(
        (sum, { weight, term }) => sum + (matchesNodeTerm(term, node) ? weight : 0),
        0,
      );
    scaleToMost(points, nodes.length);
  };
};

const mebibyte = 1 << 20;
/** Image sizes that count nothing, and that count fully, for each container. */
const imageSizes = { least: 23 * mebibyte, most: 1000 * mebibyte };

/** Nodes that have the pod's large images first; an image counts by how many nodes have it. */
const imageLocality: Score = ({ wants, cluster }) => {
  const images = [...new Set(wants.images.map(normalizedImage))];
  const known = images.filter((image) =>
    cluster.nodes.some(
      (node) => (node.images.get(image) ?? 0) > imageSizes.least / Math.max(images.length, 1),
    ),
  );
  if (!known.length) return undefined;
  const spread = new Map(
    known.map((image) => [
      image,
      cluster.nodes.filter((node) => node.images.has(image)).length / cluster.nodes.length,
    ]),
  );
  const most = imageSizes.most * wants.images.length;
  return (nodes, points) => {
    for (const [i, node] of nodes.entries()) {
      let sum = 0;
      for (const [image, part] of spread) sum += (node.images.get(image) ?? 0) * part;
      const clamped = Math.min(Math.max(sum, imageSizes.least), most);
      points[i] = Math.floor((100 * (clamped - imageSizes.least)) / (most - imageSizes.least));
    }
  };
};

/** With the tag that an image without one has. */
const normalizedImage = (image: string): string =>
  image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image;

/** All scores with their weights, which are Kubernetes' own. */
export const scores: readonly { readonly score: Score; readonly weight: number }[] = [
  { score: allocation, weight: 1 },
  { score: taintToleration, weight: 3 },
  { score: nodeAffinity, weight: 2 },
  { score: scoreTopologySpread, weight: 2 },
  { score: scoreInterPodAffinity, weight: 2 },
  { score: imageLocality, weight: 1 },
];
