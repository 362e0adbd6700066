import {
  duplicate,
  type FieldProblem,
  forbidden,
  invalid,
  notFound,
  notSupported,
  required,
} from '../../api/field-error.ts';
import { dns1123Label, dns1123Subdomain } from '../../api/names.ts';
import { isNegative } from '../../api/quantity.ts';
import type {
  Container,
  DownwardAPIVolumeFile,
  KeyToPath,
  ProjectedVolumeSource,
  Volume,
  VolumeMount,
} from '../../api/types/core-v1.ts';
import { validateFieldRef, validateResourceFieldRef } from './env-validation.ts';
import { invalidFor } from './metadata-validation.ts';

const fileMode = 'must be a number between 0 and 0777 (octal), both inclusive';
const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

const hasBackstep = (path: string): boolean => path.split(/[\\/]/).includes('..');

/** A path that stays below where it starts. */
function validateDescendingPath(errors: FieldProblem[], field: string, path: string): void {
  if (path.startsWith('/')) errors.push(invalid(field, path, 'must be a relative path'));
  if (hasBackstep(path)) errors.push(invalid(field, path, "must not contain '..'"));
}

function validateTarget(errors: FieldProblem[], field: string, path: string): void {
  validateDescendingPath(errors, field, path);
  if (path.startsWith('..') && !path.startsWith('../'))
    errors.push(invalid(field, path, "must not start with '..'"));
}

function validateMode(errors: FieldProblem[], field: string, mode: number | undefined): void {
  if (mode !== undefined && (mode > 0o777 || mode < 0)) errors.push(invalid(field, mode, fileMode));
}

function validateItems(errors: FieldProblem[], field: string, items: readonly KeyToPath[] = []): void {
  for (const [index, { key, path, mode }] of items.entries()) {
    const at = `${field}[${index}]`;
    if (!key) errors.push(required(`${at}.key`));
    if (!path) errors.push(required(`${at}.path`));
    else validateTarget(errors, `${at}.path`, path);
    validateMode(errors, `${at}.mode`, mode);
  }
}

function validateDownwardFiles(
  errors: FieldProblem[],
  field: string,
  items: readonly DownwardAPIVolumeFile[] = [],
): void {
  for (const item of items) {
    if (!item.path) errors.push(required(`${field}.path`));
    else validateTarget(errors, `${field}.path`, item.path);
    if (item.fieldRef) {
      validateFieldRef(errors, `${field}.fieldRef`, item.fieldRef, 'volume');
      if (item.resourceFieldRef)
        errors.push(
          invalid(field, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'),
        );
    } else if (item.resourceFieldRef)
      validateResourceFieldRef(errors, `${field}.resourceFieldRef`, item.resourceFieldRef, 'volume');
    else errors.push(required(field, 'one of fieldRef and resourceFieldRef is required'));
    validateMode(errors, `${field}.mode`, item.mode);
  }
}

function validateProjected(errors: FieldProblem[], field: string, projected: ProjectedVolumeSource): void {
  validateMode(errors, `${field}.defaultMode`, projected.defaultMode);
  const paths = new Set<string>();
  const claim = (where: string, path: string): void => {
    if (!path) return;
    if (paths.has(path)) errors.push(invalid(where, path, 'conflicting duplicate paths'));
    paths.add(path);
  };
  for (const [index, source] of (projected.sources ?? []).entries()) {
    const at = `${field}.sources[${index}]`;
    const given = (['secret', 'configMap', 'downwardAPI', 'serviceAccountToken'] as const).filter(
      (name) => source[name],
    );
    for (const name of given.slice(1))
      errors.push(forbidden(`${at}.${name}`, 'may not specify more than 1 volume type'));
    const first = given[0];
    if (first === 'secret' || first === 'configMap') {
      const { name, items } = source[first]!;
      if (!name) errors.push(required(`${at}.${first}.name`));
      validateItems(errors, `${at}.${first}.items`, items);
      for (const item of items ?? []) claim(at, item.path);
    } else if (first === 'downwardAPI') {
      validateDownwardFiles(errors, `${at}.downwardAPI`, source.downwardAPI?.items);
      for (const item of source.downwardAPI?.items ?? []) claim(at, item.path);
    } else if (first === 'serviceAccountToken') {
      const token = source.serviceAccountToken!;
      const path = `${at}.serviceAccountToken`;
      const seconds = token.expirationSeconds ?? 3600;
      if (seconds < 600)
        errors.push(
          invalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'),
        );
      if (seconds > 2 ** 32)
        errors.push(
          invalid(
            `${path}.expirationSeconds`,
            seconds,
            'may not specify a duration larger than 2^32 seconds',
          ),
        );
      if (!token.path) errors.push(required(`${path}.path`));
      else validateTarget(errors, `${path}.path`, token.path);
      claim(at, token.path);
    } else if (!source.clusterTrustBundle && !source.podCertificate)
      errors.push(required(at, 'must specify a volume type'));
  }
}

/** How each source that the kubelet mounts is checked. Others pass: they are refused where they would be mounted. */
const checks: {
  [K in keyof Volume]?: (errors: FieldProblem[], field: string, source: NonNullable<Volume[K]>) => void;
} = {
  emptyDir(errors, field, source) {
    if (source.sizeLimit !== undefined && isNegative(source.sizeLimit))
      errors.push(forbidden(`${field}.sizeLimit`, 'SizeLimit field must be a valid resource quantity'));
  },
  hostPath(errors, field, source) {
    if (!source.path) {
      errors.push(required(`${field}.path`));
      return;
    }
    if (hasBackstep(source.path)) errors.push(invalid(`${field}.path`, source.path, "must not contain '..'"));
    if (source.type !== undefined && !hostPathTypes.includes(source.type))
      errors.push(notSupported(`${field}.type`, source.type, hostPathTypes));
  },
  secret(errors, field, source) {
    if (!source.secretName) errors.push(required(`${field}.secretName`));
    validateMode(errors, `${field}.defaultMode`, source.defaultMode);
    validateItems(errors, `${field}.items`, source.items);
  },
  configMap(errors, field, source) {
    if (!source.name) errors.push(required(`${field}.name`));
    validateMode(errors, `${field}.defaultMode`, source.defaultMode);
    validateItems(errors, `${field}.items`, source.items);
  },
  downwardAPI(errors, field, source) {
    validateMode(errors, `${field}.defaultMode`, source.defaultMode);
    validateDownwardFiles(errors, field, source.items);
  },
  projected: validateProjected,
  persistentVolumeClaim(errors, field, source) {
    if (!source.claimName) errors.push(required(`${field}.claimName`));
  },
  nfs(errors, field, source) {
    if (!source.server) errors.push(required(`${field}.server`));
    if (!source.path) errors.push(required(`${field}.path`));
    else if (!source.path.startsWith('/'))
      errors.push(invalid(`${field}.path`, source.path, 'must be an absolute path'));
  },
  csi(errors, field, source) {
    if (!source.driver) errors.push(required(`${field}.driver`));
    else invalidFor(errors, `${field}.driver`, source.driver, dns1123Subdomain(source.driver.toLowerCase()));
  },
};

function validateSource(errors: FieldProblem[], field: string, volume: Volume): void {
  const sources = (Object.keys(volume) as (keyof Volume)[]).filter((key) => key !== 'name' && volume[key]);
  if (!sources.length) errors.push(required(field, 'must specify a volume type'));
  for (const [index, name] of sources.entries()) {
    if (index) {
      errors.push(forbidden(`${field}.${name}`, 'may not specify more than 1 volume type'));
      continue;
    }
    const check = checks[name] as
      | ((errors: FieldProblem[], field: string, source: unknown) => void)
      | undefined;
    check?.(errors, `${field}.${name}`, volume[name]);
  }
}

/** The volumes of a pod. Returns those that containers may mount. */
export function validateVolumes(
  errors: FieldProblem[],
  field: string,
  volumes: readonly Volume[] = [],
): Map<string, Volume> {
  const good = new Map<string, Volume>();
  for (const [index, volume] of volumes.entries()) {
    const path = `${field}[${index}]`;
    const before = errors.length;
    validateSource(errors, path, volume);
    if (!volume.name) errors.push(required(`${path}.name`));
    else invalidFor(errors, `${path}.name`, volume.name, dns1123Label(volume.name));
    if (good.has(volume.name)) errors.push(duplicate(`${path}.name`, volume.name));
    if (errors.length === before) good.set(volume.name, volume);
  }
  return good;
}

const propagations = ['Bidirectional', 'HostToContainer', 'None'];

function validateMount(
  errors: FieldProblem[],
  field: string,
  path: string,
  mount: VolumeMount,
  container: Pick<Container, 'securityContext'>,
): void {
  if (mount.subPath) validateDescendingPath(errors, `${field}.subPath`, mount.subPath);
  if (mount.subPathExpr) {
    if (mount.subPath)
      errors.push(
        invalid(`${path}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
      );
    validateDescendingPath(errors, `${field}.subPathExpr`, mount.subPathExpr);
  }
  const propagation = mount.mountPropagation;
  if (propagation !== undefined && !propagations.includes(propagation))
    errors.push(notSupported(`${field}.mountPropagation`, propagation, propagations));
  if (propagation === 'Bidirectional' && !container.securityContext?.privileged)
    errors.push(
      forbidden(
        `${field}.mountPropagation`,
        'Bidirectional mount propagation is available only to privileged containers',
      ),
    );
}

/** What a container mounts: volumes that exist, each path once. */
export function validateVolumeMounts(
  errors: FieldProblem[],
  field: string,
  container: Pick<Container, 'volumeMounts' | 'volumeDevices' | 'securityContext'>,
  volumes: ReadonlyMap<string, Volume>,
): void {
  const paths = new Set<string>();
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const path = `${field}[${index}]`;
    const mountPath = mount.mountPath ?? '';
    if (!mount.name) errors.push(required(`${path}.name`));
    if (!volumes.has(mount.name)) errors.push(notFound(`${path}.name`, mount.name ?? ''));
    if (!mountPath) errors.push(required(`${path}.mountPath`));
    if (paths.has(mountPath)) errors.push(invalid(`${path}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
    if (container.volumeDevices?.some((device) => device.name === mount.name))
      errors.push(invalid(`${path}.name`, mount.name, 'must not already exist in volumeDevices'));
    validateMount(errors, field, path, mount, container);
  }
}
