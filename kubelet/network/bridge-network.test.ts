import type { NetworkInspectInfo } from 'dockerode';
import t from 'tap';
import { networkOptions, planBridgeNetwork } from './bridge-network.ts';

const config = {
  clusterName: 'lab',
  nodeName: 'one',
  bridge: 'nkube0',
  podCIDR: '10.244.1.0/24',
  mtu: 1400,
  apiVersion: '1.41',
};
const observed = (over: Partial<NetworkInspectInfo> = {}): NetworkInspectInfo => ({
  Name: 'lab',
  Id: 'abc',
  Created: '',
  Scope: 'local',
  Driver: 'bridge',
  EnableIPv6: false,
  Internal: false,
  Attachable: false,
  Ingress: false,
  ConfigOnly: false,
  ConfigFrom: { Network: '' },
  IPAM: { Driver: 'default', Config: [{ Subnet: '10.244.1.0/24', Gateway: '10.244.1.1' }] },
  Labels: { 'nekalakube.io/cluster': 'lab' },
  Options: { 'com.docker.network.bridge.name': 'nkube0' },
  Containers: {},
  ...over,
});
const containers = {
  c1: { Name: 'k8s_POD_web', EndpointID: '', MacAddress: '', IPv4Address: '', IPv6Address: '' },
};
const otherSubnet = { Driver: 'default', Config: [{ Subnet: '10.244.2.0/24' }] };

t.test('a missing network is created without masquerading', async (t) => {
  const [action] = planBridgeNetwork(config, undefined);
  t.match(action, {
    type: 'create',
    options: {
      Name: 'lab',
      IPAM: { Config: [{ Subnet: '10.244.1.0/24', Gateway: '10.244.1.1' }] },
      Labels: { 'nekalakube.io/cluster': 'lab', 'nekalakube.io/node': 'one' },
      Options: {
        'com.docker.network.bridge.name': 'nkube0',
        'com.docker.network.bridge.enable_ip_masquerade': 'false',
        'com.docker.network.driver.mtu': '1400',
      },
    },
  });
});

t.test(
  'engines that filter routed traffic are asked not to; older ones do not know the option',
  async (t) => {
    const mode = 'com.docker.network.bridge.gateway_mode_ipv4';
    t.notOk(networkOptions(config).Options?.[mode]);
    t.equal(networkOptions({ ...config, apiVersion: '1.48' }).Options?.[mode], 'nat-unprotected');
  },
);

t.test('a right network is left alone, used or not', async (t) => {
  t.same(planBridgeNetwork(config, observed()), []);
  t.same(planBridgeNetwork(config, observed({ Containers: containers })), []);
});

t.test('a wrong one is made anew if unused, else an error names its users', async (t) => {
  t.match(planBridgeNetwork(config, observed({ IPAM: otherSubnet })), [
    { type: 'remove', id: 'abc' },
    { type: 'create' },
  ]);
  const otherBridge = { Options: { 'com.docker.network.bridge.name': 'br1' } };
  t.match(planBridgeNetwork(config, observed(otherBridge)), [{ type: 'remove' }, { type: 'create' }]);
  t.throws(
    () => planBridgeNetwork(config, observed({ IPAM: otherSubnet, Containers: containers })),
    /in use by k8s_POD_web/,
  );
});

t.test("a network of somebody else's is not touched", async (t) => {
  t.throws(
    () => planBridgeNetwork(config, observed({ Labels: {} })),
    /"lab" exists but is not this cluster's/,
  );
});

t.test('a malformed pod CIDR is refused by name', async (t) => {
  t.throws(
    () => networkOptions({ ...config, podCIDR: 'fd00::/64' }),
    /spec\.podCIDR: Invalid value: "fd00::\/64"/,
  );
});
