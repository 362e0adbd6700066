import type { NodeInfo } from './node-info.ts';
import type { NodeTerm, PlacementInfo } from './pod-info.ts';

/** Whether a node meets all requirements of a term. The only field is `metadata.name`. */
export const matchesNodeTerm = (term: NodeTerm, node: NodeInfo): boolean =>
  term.labels.matches(node.labels) &&
  (!term.fields.requirements.length || term.fields.matches({ 'metadata.name': node.name }));

/** Whether a node is one that the pod's node selector and required node affinity allow. */
export const matchesNodeAffinity = (wants: PlacementInfo, node: NodeInfo): boolean =>
  wants.nodeSelector.matches(node.labels) &&
  (!wants.nodeTerms || wants.nodeTerms.some((term) => matchesNodeTerm(term, node)));
