import type {
  Container,
  EphemeralContainer,
  PodSpec,
  Probe,
  ResourceRequirements,
  Volume,
} from '../../api/types/core-v1.ts';

/** What an absent field of a pod means, as in https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ */

/** The tag of an image reference: the part after the last colon of the last path segment, `latest` if there is none. */
export function imageTag(image: string): string {
  if (!image) return '';
  const at = image.indexOf('@');
  const reference = at < 0 ? image : image.slice(0, at);
  const last = reference.slice(reference.lastIndexOf('/') + 1);
  const colon = last.indexOf(':');
  if (colon >= 0) return last.slice(colon + 1);
  // A digest pins the image, so that it is not `latest` even without a tag.
  return at < 0 ? 'latest' : '';
}

function defaultProbe(probe: Probe | undefined): void {
  if (!probe) return;
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  defaultHTTPGet(probe.httpGet);
  if (probe.grpc) probe.grpc.service ??= '';
}

function defaultHTTPGet(action: { path?: string; scheme?: string } | undefined): void {
  if (!action) return;
  action.path ||= '/';
  action.scheme ||= 'HTTP';
}

function defaultRequests(resources: ResourceRequirements): void {
  if (!resources.limits) return;
  for (const [name, limit] of Object.entries(resources.limits)) {
    resources.requests ??= {};
    resources.requests[name] ??= limit;
  }
}

function defaultContainer(container: Container | EphemeralContainer): void {
  if (!container.imagePullPolicy)
    container.imagePullPolicy = imageTag(container.image ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  container.resources ??= {};
  for (const port of container.ports ?? []) port.protocol ||= 'TCP';
  for (const { valueFrom } of container.env ?? [])
    if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ||= 'v1';
  for (const source of container.env ?? [])
    if (source.valueFrom?.resourceFieldRef) source.valueFrom.resourceFieldRef.divisor ??= '0';
  defaultProbe(container.livenessProbe);
  defaultProbe(container.readinessProbe);
  defaultProbe(container.startupProbe);
  defaultHTTPGet(container.lifecycle?.postStart?.httpGet);
  defaultHTTPGet(container.lifecycle?.preStop?.httpGet);
}

const sourcesOf = (volume: Volume): string[] => Object.keys(volume).filter((key) => key !== 'name');

function defaultVolume(volume: Volume): void {
  if (!sourcesOf(volume).length) volume.emptyDir = {};
  if (volume.secret) volume.secret.defaultMode ??= 0o644;
  if (volume.configMap) volume.configMap.defaultMode ??= 0o644;
  if (volume.hostPath) volume.hostPath.type ??= '';
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= 0o644;
    for (const item of volume.downwardAPI.items ?? []) if (item.fieldRef) item.fieldRef.apiVersion ||= 'v1';
  }
  if (volume.projected) {
    volume.projected.defaultMode ??= 0o644;
    for (const source of volume.projected.sources ?? []) {
      if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= 3600;
      for (const item of source.downwardAPI?.items ?? [])
        if (item.fieldRef) item.fieldRef.apiVersion ||= 'v1';
    }
  }
  const ephemeral = volume.ephemeral?.volumeClaimTemplate?.spec;
  if (ephemeral) ephemeral.volumeMode ??= 'Filesystem';
  if (volume.iscsi) volume.iscsi.iscsiInterface ||= 'default';
  if (volume.rbd) {
    volume.rbd.pool ||= 'rbd';
    volume.rbd.user ||= 'admin';
    volume.rbd.keyring ||= '/etc/ceph/keyring';
  }
  if (volume.azureDisk) {
    volume.azureDisk.cachingMode ??= 'ReadWrite';
    volume.azureDisk.kind ??= 'Shared';
    volume.azureDisk.fsType ??= 'ext4';
    volume.azureDisk.readOnly ??= false;
  }
  if (volume.scaleIO) {
    volume.scaleIO.storageMode ||= 'ThinProvisioned';
    volume.scaleIO.fsType ||= 'xfs';
  }
}

/** Fills the absent fields of a pod spec, in place; of a template too. */
export function defaultPodSpec(spec: PodSpec): void {
  spec.restartPolicy ||= 'Always';
  spec.terminationGracePeriodSeconds ??= 30;
  spec.dnsPolicy ||= 'ClusterFirst';
  // The older name of the same field: each follows the other, the newer one wins.
  if (spec.serviceAccountName || spec.serviceAccount) {
    spec.serviceAccountName ||= spec.serviceAccount;
    spec.serviceAccount = spec.serviceAccountName;
  }
  spec.securityContext ??= {};
  spec.schedulerName ||= 'default-scheduler';
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const list of [spec.containers, spec.initContainers, spec.ephemeralContainers])
    for (const container of list ?? []) defaultContainer(container);
}

/**
 * Fills what a pod has beyond its template, in place: service links, requests that follow limits, and on the host's
 * network the host ports.
 */
export function defaultPod(pod: { spec?: PodSpec }): void {
  const spec = pod.spec;
  if (!spec) return;
  defaultPodSpec(spec);
  spec.enableServiceLinks ??= true;
  for (const list of [spec.containers, spec.initContainers])
    for (const container of list ?? []) {
      if (container.resources) defaultRequests(container.resources);
      if (spec.hostNetwork) for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
    }
}
