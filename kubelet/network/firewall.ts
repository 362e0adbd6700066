import { createHash } from 'node:crypto';

/** What the node's rules depend on. All CIDRs as text. */
export interface FirewallConfig {
  clusterName: string;
  bridge: string;
  podCIDR: string;
  /** All pods of all nodes. */
  clusterCIDR: string;
  /** Never translated, where it is known: it is local to every node. */
  serviceCIDR?: string;
}

/** A chain of our own and the one jump to it, as `iptables-save` writes rules (without `-A chain`). */
interface OwnChain {
  table: 'filter' | 'nat';
  chain: string;
  /** The first of these that exists takes the jump. */
  parents: readonly string[];
  rules: readonly string[];
}

const comment = (clusterName: string): string => `-m comment --comment nekalakube:${clusterName}`;

/** Two chain names that no other cluster name shares, within iptables' 28 characters. */
function chainNames(clusterName: string): { forward: string; masquerade: string } {
  const hash = createHash('sha256').update(clusterName).digest('hex').slice(0, 8);
  return { forward: `NKUBE-FORWARD-${hash}`, masquerade: `NKUBE-MASQ-${hash}` };
}

/**
 * DOCKER-USER comes before Docker's isolation of its networks from each other and survives its restarts;
 * FORWARD serves where Docker keeps no rules.
 * https://docs.docker.com/engine/network/packet-filtering-firewalls/
 */
const forwardParents = ['DOCKER-USER', 'FORWARD'];
const masqueradeParents = ['POSTROUTING'];

function desiredChains(config: FirewallConfig): OwnChain[] {
  const note = comment(config.clusterName);
  const { forward, masquerade } = chainNames(config.clusterName);
  const kept = [config.clusterCIDR, ...(config.serviceCIDR ? [config.serviceCIDR] : []), '224.0.0.0/4'];
  return [
    {
      table: 'filter',
      chain: forward,
      parents: forwardParents,
      rules: [`-s ${config.clusterCIDR} ${note} -j ACCEPT`, `-d ${config.clusterCIDR} ${note} -j ACCEPT`],
    },
    {
      table: 'nat',
      chain: masquerade,
      parents: masqueradeParents,
      rules: [
        ...kept.map((cidr) => `-s ${config.podCIDR} -d ${cidr} ${note} -j RETURN`),
        `-s ${config.podCIDR} ! -o ${config.bridge} ${note} -j MASQUERADE`,
      ],
    },
  ];
}

/** Rules by table and chain, in order; a chain without rules is there too. */
type SavedRules = Map<string, Map<string, string[]>>;

function parseSaved(saved: string): SavedRules {
  const tables: SavedRules = new Map();
  let chains = new Map<string, string[]>();
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) {
      chains = new Map();
      tables.set(line.slice(1).trim(), chains);
    } else if (line.startsWith(':')) {
      chains.set(line.slice(1).split(' ')[0]!, []);
    } else if (line.startsWith('-A ')) {
      const [, chain, ...rule] = line.replaceAll('"', '').split(' ');
      chains.get(chain!)?.push(rule.join(' '));
    }
  }
  return tables;
}

/** A jump counts only if no rule before it leaves the chain for every packet. */
const jumpWorks = (rules: readonly string[], jump: string): boolean => {
  const end = rules.findIndex((rule) => /^-j (RETURN|ACCEPT|DROP|REJECT)\b/.test(rule));
  const at = rules.indexOf(jump);
  return at >= 0 && (end < 0 || at < end) && rules.lastIndexOf(jump) === at;
};

const sameRules = (a: readonly string[] | undefined, b: readonly string[]): boolean =>
  a !== undefined && a.length === b.length && b.every((rule, i) => rule === a[i]);

/** All jumps to `chain` there are, as the lines that delete them. */
function deleteJumps(chains: Map<string, string[]> | undefined, chain: string): string[] {
  return [...(chains ?? [])].flatMap(([parent, rules]) =>
    rules.filter((rule) => rule.endsWith(`-j ${chain}`)).map((rule) => `-D ${parent} ${rule}`),
  );
}

/**
 * What to give to `iptables-restore --noflush` so that the node forwards pod traffic and translates the
 * addresses of pods only towards the world outside the cluster. Undefined if `saved`, the output of
 * `iptables-save`, shows that all is so already.
 */
export function planFirewall(saved: string, config: FirewallConfig): string | undefined {
  const tables = parseSaved(saved);
  const lines: string[] = [];
  for (const { table, chain, parents, rules } of desiredChains(config)) {
    const chains = tables.get(table);
    const parent = parents.find((name) => chains?.has(name)) ?? parents.at(-1)!;
    const jump = `${comment(config.clusterName)} -j ${chain}`;
    const jumps = deleteJumps(chains, chain);
    const jumpIsRight = jumps.length === 1 && jumpWorks(chains?.get(parent) ?? [], jump);
    if (jumpIsRight && sameRules(chains?.get(chain), rules)) continue;
    lines.push(`*${table}`, `:${chain} - [0:0]`, ...rules.map((rule) => `-A ${chain} ${rule}`));
    if (!jumpIsRight) lines.push(...jumps, `-I ${parent} 1 ${jump}`);
    lines.push('COMMIT');
  }
  return lines.length ? `${lines.join('\n')}\n` : undefined;
}

/** What takes all rules and chains of this cluster name away again; undefined if there are none. */
export function planFirewallRemoval(saved: string, clusterName: string): string | undefined {
  const tables = parseSaved(saved);
  const { forward, masquerade } = chainNames(clusterName);
  const lines = [
    { table: 'filter', chain: forward },
    { table: 'nat', chain: masquerade },
  ].flatMap(({ table, chain }) => {
    const chains = tables.get(table);
    if (!chains?.has(chain)) return [];
    return [`*${table}`, ...deleteJumps(chains, chain), `-F ${chain}`, `-X ${chain}`, 'COMMIT'];
  });
  return lines.length ? `${lines.join('\n')}\n` : undefined;
}
