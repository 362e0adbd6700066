import { randomInt } from 'node:crypto';
import { invalid as invalidField } from '../../api/field-error.ts';
import { addressAt, type CIDR, cidrContains, formatCIDR, parseIPv4, sizeOfCIDR } from '../../api/net.ts';
import type { KubeObject } from '../../api/object.ts';
import type { Service } from '../../api/types/core-v1.ts';
import type { FieldError } from '../registry/kind.ts';
import type { ServedKind } from '../registry/kind-registry.ts';
import type { Allocator } from '../registry/object-writer.ts';
import { invalid } from '../rest/api-error.ts';
import type { Storage } from '../storage/storage.ts';
import { Claims, type Owner } from './claims.ts';
import {
  allocatedIP,
  allocatedPorts,
  needsClusterIP,
  needsHealthCheckPort,
  needsNodePorts,
  prepareServiceUpdate,
} from './service-fields.ts';

export interface PortRange {
  first: number;
  last: number;
}

/** Tries at random numbers before all are looked at in turn. */
const randomTries = 16;

const isService = ({ kind }: ServedKind): boolean => kind.plural === 'services' && kind.group === '';
const ownerOf = (service: KubeObject): Owner => ({
  namespace: service.metadata?.namespace ?? '',
  name: service.metadata?.name ?? '',
});

/**
 * The numbers at the front of a range that are left for people to choose, as Kubernetes leaves them:
 * https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/
 */
const staticBand = (size: number): number =>
  size < 32 ? 0 : Math.min(Math.max(16, Math.trunc(size / 16)), 256);

/** Gives Services their cluster IPs and node ports. */
export class ServiceAllocator implements Allocator {
  readonly ips: Claims;
  readonly ports: Claims;
  readonly #cidr: CIDR;
  readonly #range: PortRange;

  constructor(storage: Storage, cidr: CIDR, range: PortRange) {
    this.#cidr = cidr;
    this.#range = range;
    this.ips = new Claims(storage, 'ipaddresses', { apiVersion: 'networking.k8s.io/v1', kind: 'IPAddress' });
    this.ports = new Claims(storage, 'nodeports', { apiVersion: 'nekalakube.io/v1', kind: 'NodePortClaim' });
  }

  prepare(served: ServedKind, next: KubeObject, previous: KubeObject): void {
    if (isService(served)) prepareServiceUpdate(next as Service, previous as Service);
  }

  async allocate(
    served: ServedKind,
    next: KubeObject,
    previous: KubeObject | undefined,
    dryRun: boolean,
  ): Promise<(() => Promise<void>) | undefined> {
    if (!isService(served)) return undefined;
    const service = next as Service;
    const owner = ownerOf(service);
    const taken: (() => Promise<void>)[] = [];
    const undo = async (): Promise<void> => {
      for (const give of taken) await give();
    };
    try {
      await this.#allocateIP(service, previous as Service | undefined, async (ip) => {
        if (dryRun) return !this.ips.isTaken(ip);
        if (!(await this.ips.take(ip, owner))) return false;
        taken.push(() => this.ips.release(ip, owner));
        return true;
      });
      await this.#allocatePorts(service, previous as Service | undefined, async (port) => {
        const key = String(port);
        if (dryRun) return !this.ports.isTaken(key);
        if (!(await this.ports.take(key, owner))) return false;
        taken.push(() => this.ports.release(key, owner));
        return true;
      });
      return undo;
    } catch (error) {
      await undo();
      if (error instanceof AllocationError) throw invalid(served.kind, owner.name, [error.problem]);
      throw error;
    }
  }

  async release(served: ServedKind, previous: KubeObject, next: KubeObject | undefined): Promise<void> {
    if (!isService(served)) return;
    const owner = ownerOf(previous);
    const ip = allocatedIP(previous as Service);
    if (ip && ip !== allocatedIP(next as Service | undefined)) await this.ips.release(ip, owner);
    const kept = allocatedPorts(next as Service | undefined);
    for (const port of allocatedPorts(previous as Service))
      if (!kept.has(port)) await this.ports.release(String(port), owner);
  }

  async #allocateIP(
    service: Service,
    previous: Service | undefined,
    take: (ip: string) => Promise<boolean>,
  ): Promise<void> {
    const spec = service.spec!;
    if (!needsClusterIP(spec)) return;
    spec.clusterIP ||= spec.clusterIPs?.[0];
    spec.ipFamilies ??= ['IPv4'];
    spec.ipFamilyPolicy ??= 'SingleStack';
    const wanted = spec.clusterIP;
    if (wanted !== 'None' && (!wanted || wanted !== allocatedIP(previous))) {
      if (!wanted) spec.clusterIP = await this.#anyIP(take);
      else {
        const refuse = (why: string) =>
          new AllocationError(
            invalidField('spec.clusterIPs', [wanted], `failed to allocate IP ${wanted}: ${why}`),
          );
        if (!this.#isUsable(wanted))
          throw refuse(
            `the provided IP (${wanted}) is not in the valid range. The range of valid IPs is ${formatCIDR(this.#cidr)}`,
          );
        if (!(await take(wanted))) throw refuse('provided IP is already allocated');
      }
    }
    if (spec.clusterIPs?.[0] !== spec.clusterIP) spec.clusterIPs = [spec.clusterIP!];
  }

  /** The first and the last address of a network are not given out. */
  #isUsable(ip: string): boolean {
    const number = parseIPv4(ip);
    return (
      number !== undefined &&
      cidrContains(this.#cidr, number) &&
      number !== this.#cidr.first &&
      number !== this.#cidr.first + sizeOfCIDR(this.#cidr) - 1
    );
  }

  async #anyIP(take: (ip: string) => Promise<boolean>): Promise<string> {
    const usable = sizeOfCIDR(this.#cidr) - 2;
    const index = await pick(usable, (offset) => {
      const ip = addressAt(this.#cidr, offset + 1);
      return this.ips.isTaken(ip) ? Promise.resolve(false) : take(ip);
    });
    if (index === undefined)
      throw new AllocationError(
        invalidField('spec.clusterIPs', null, 'failed to allocate a serviceIP: range is full'),
      );
    return addressAt(this.#cidr, index + 1);
  }

  async #allocatePorts(
    service: Service,
    previous: Service | undefined,
    take: (port: number) => Promise<boolean>,
  ): Promise<void> {
    const spec = service.spec!;
    const held = allocatedPorts(previous);
    const explicit = async (field: string, port: number): Promise<void> => {
      if (held.has(port)) return;
      const { first, last } = this.#range;
      if (port < first || port > last)
        throw new AllocationError(
          invalidField(
            field,
            port,
            `provided port is not in the valid range. The range of valid ports is ${first}-${last}`,
          ),
        );
      if (!(await take(port)))
        throw new AllocationError(invalidField(field, port, 'provided port is already allocated'));
      held.add(port);
    };
    if (needsNodePorts(spec) || spec.type === 'LoadBalancer') {
      for (const [index, port] of (spec.ports ?? []).entries())
        if (port.nodePort) await explicit(`spec.ports[${index}].nodePort`, port.nodePort);
    }
    if (needsNodePorts(spec)) {
      // The same port over TCP and UDP is one node port.
      const byPort = new Map<number, number>();
      for (const port of spec.ports ?? []) {
        const twin = byPort.get(port.port);
        const free =
          twin && !spec.ports!.some((other) => other.nodePort === twin && other.protocol === port.protocol);
        port.nodePort ||= free ? twin : await this.#anyPort(take);
        byPort.set(port.port, port.nodePort);
      }
    }
    if (!needsHealthCheckPort(spec)) return;
    if (spec.healthCheckNodePort) await explicit('spec.healthCheckNodePort', spec.healthCheckNodePort);
    else spec.healthCheckNodePort = await this.#anyPort(take);
  }

  async #anyPort(take: (port: number) => Promise<boolean>): Promise<number> {
    const { first, last } = this.#range;
    const index = await pick(last - first + 1, (offset) =>
      this.ports.isTaken(String(first + offset)) ? Promise.resolve(false) : take(first + offset),
    );
    if (index === undefined)
      throw new AllocationError(
        invalidField('spec.ports', null, 'failed to allocate a nodePort: range is full'),
      );
    return first + index;
  }
}

class AllocationError extends Error {
  readonly problem: FieldError;

  constructor(problem: FieldError) {
    super(problem.message);
    this.problem = problem;
  }
}

/** Takes one of `size` numbers, first from the band that people do not choose from. */
async function pick(size: number, take: (offset: number) => Promise<boolean>): Promise<number | undefined> {
  const band = staticBand(size);
  for (let i = 0; i < randomTries; i++) {
    const offset = band + randomInt(size - band);
    if (await take(offset)) return offset;
  }
  const start = randomInt(size - band);
  for (let i = 0; i < size - band; i++) {
    const offset = band + ((start + i) % (size - band));
    if (await take(offset)) return offset;
  }
  for (let offset = band - 1; offset >= 0; offset--) if (await take(offset)) return offset;
  return undefined;
}
