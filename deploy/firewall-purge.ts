/**
 * Lines for `iptables-restore --noflush` that take away every rule with the comment of this cluster, and the
 * chains of its own that those rules lead to; undefined if there are none.
 * @param saved output of `iptables-save`
 */
export function planFirewallPurge(saved: string, clusterName: string): string | undefined {
  const own = ` --comment nekalakube:${clusterName} `;
  const lines: string[] = [];
  let table: { name: string; chains: Set<string>; rules: string[] } | undefined;
  for (const raw of saved.split('\n')) {
    const line = raw.trim();
    if (line.startsWith('*')) table = { name: line.slice(1), chains: new Set(), rules: [] };
    else if (line.startsWith(':')) table?.chains.add(line.slice(1).split(' ')[0]!);
    else if (line.startsWith('-A ')) table?.rules.push(line.replaceAll('"', ''));
    else if (line === 'COMMIT' && table) {
      lines.push(...purgeTable(table, own));
      table = undefined;
    }
  }
  return lines.length ? `${lines.join('\n')}\n` : undefined;
}

function purgeTable(table: { name: string; chains: Set<string>; rules: string[] }, own: string): string[] {
  const mine = table.rules.filter((rule) => `${rule} `.includes(own));
  const targets = mine.map((rule) => / -j (\S+)/.exec(rule)?.[1]).filter((name) => name !== undefined);
  // A chain that still holds other people's rules is theirs.
  const chains = [...new Set(targets)].filter(
    (name) =>
      table.chains.has(name) &&
      table.rules.filter((rule) => rule.startsWith(`-A ${name} `)).every((rule) => mine.includes(rule)),
  );
  if (mine.length === 0) return [];
  return [
    `*${table.name}`,
    ...mine.map((rule) => rule.replace(/^-A/, '-D')),
    ...chains.map((name) => `-X ${name}`),
    'COMMIT',
  ];
}
