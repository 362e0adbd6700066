import t from 'tap';
import type { Pod, PodSpec } from '../../api/types/core-v1.ts';
import { etcHosts, podHostname, resolvConf } from './network-files.ts';

const settings = {
  clusterDNS: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  hostResolvConf: '# host\nsearch lan\nnameserver 9.9.9.9\noptions edns0\n',
};

const pod = (spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { name: 'p', namespace: 'n' },
  spec: { containers: [], ...spec },
});

const cluster =
  'search n.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.96.0.10\noptions ndots:5\n';
const host = 'search lan\nnameserver 9.9.9.9\noptions edns0\n';

t.test('resolv.conf by policy', async (t) => {
  t.equal(resolvConf(pod(), settings), cluster);
  t.equal(resolvConf(pod({ dnsPolicy: 'Default' }), settings), host);
  t.equal(resolvConf(pod({ hostNetwork: true, dnsPolicy: 'ClusterFirst' }), settings), host);
  t.equal(resolvConf(pod({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }), settings), cluster);
  t.equal(resolvConf(pod(), { ...settings, clusterDNS: [] }), host);
});

t.test('dnsConfig is added, without repeats, and replaces options of the same name', async (t) => {
  const dnsConfig = {
    nameservers: ['1.1.1.1', '10.96.0.10'],
    searches: ['my.org'],
    options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }],
  };
  t.equal(
    resolvConf(pod({ dnsConfig }), settings),
    'search n.svc.cluster.local svc.cluster.local cluster.local lan my.org\nnameserver 10.96.0.10\nnameserver 1.1.1.1\noptions ndots:2 rotate\n',
  );
  t.equal(
    resolvConf(pod({ dnsPolicy: 'None', dnsConfig }), settings),
    'search my.org\nnameserver 1.1.1.1\nnameserver 10.96.0.10\noptions ndots:2 rotate\n',
  );
});

t.test('host names', async (t) => {
  t.same(podHostname(pod(), 'cluster.local'), { hostname: 'p' });
  t.same(podHostname(pod({ hostname: 'h', subdomain: 's' }), 'cluster.local'), {
    hostname: 'h',
    domain: 'h.s.n.svc.cluster.local',
  });
  const long = { metadata: { name: `${'a'.repeat(62)}-b`, namespace: 'n' }, spec: { containers: [] } };
  t.equal(podHostname(long, 'cluster.local').hostname, 'a'.repeat(62));
});

t.test('hosts file', async (t) => {
  const aliases = { hostAliases: [{ ip: '1.2.3.4', hostnames: ['foo', 'bar'] }] };
  const options = { podIP: '10.0.0.7', clusterDomain: 'cluster.local', hostFile: '127.0.0.1\thosty\n' };
  const text = etcHosts(pod({ subdomain: 's', ...aliases }), options);
  t.match(text, /^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n/);
  t.match(text, /\n10\.0\.0\.7\tp\.s\.n\.svc\.cluster\.local\tp\n/);
  t.match(text, /\n\n# Entries added by HostAliases\.\n1\.2\.3\.4\tfoo\tbar\n$/);
  t.equal(
    etcHosts(pod({ hostNetwork: true }), options),
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1\thosty\n',
  );
});
