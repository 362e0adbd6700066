/**
 * What OpenAPI does not say about the types behind the API, and clients can see: which optional scalars tell "zero" from
 * "absent" (pointers in Go), and the names of string types in messages.
 */

/** Optional scalar fields whose zero value is kept, by type. */
const pointerFields: Readonly<Record<string, string>> = {
  AzureDiskVolumeSource: 'cachingMode fsType readOnly kind',
  BoundObjectReference: '',
  CSIVolumeSource: 'readOnly fsType',
  ClusterTrustBundleProjection: 'name signerName optional',
  ConfigMap: 'immutable',
  ConfigMapEnvSource: 'optional',
  ConfigMapKeySelector: 'optional',
  ConfigMapProjection: 'optional',
  ConfigMapVolumeSource: 'defaultMode optional',
  Container: 'restartPolicy',
  ContainerStateTerminated: 'exitCode',
  ContainerStatus: 'started stopSignal',
  DeleteOptions: 'gracePeriodSeconds orphanDependents propagationPolicy',
  DeploymentSpec: 'replicas revisionHistoryLimit progressDeadlineSeconds',
  DeploymentStatus: 'collisionCount terminatingReplicas',
  DownwardAPIVolumeFile: 'mode',
  DownwardAPIVolumeSource: 'defaultMode',
  Endpoint: 'hostname nodeName zone',
  EndpointAddress: 'nodeName',
  EndpointConditions: 'ready serving terminating',
  EndpointPort: 'name protocol port appProtocol',
  EphemeralContainer: 'restartPolicy',
  FileKeySelector: 'optional',
  GRPCAction: 'service',
  HostPathVolumeSource: 'type',
  ISCSIVolumeSource: 'initiatorName',
  JobSpec:
    'parallelism completions activeDeadlineSeconds backoffLimit backoffLimitPerIndex maxFailedIndexes manualSelector ttlSecondsAfterFinished completionMode suspend podReplacementPolicy managedBy',
  JobStatus: 'terminating ready failedIndexes',
  KeyToPath: 'mode',
  LeaseSpec: 'holderIdentity leaseDurationSeconds leaseTransitions strategy preferredHolder',
  Lifecycle: 'stopSignal',
  LoadBalancerIngress: 'ipMode',
  ObjectMeta: 'deletionGracePeriodSeconds',
  OwnerReference: 'controller blockOwnerDeletion',
  PersistentVolumeClaimSpec: 'storageClassName volumeMode volumeAttributesClassName',
  PodDNSConfigOption: 'value',
  PodFailurePolicyOnExitCodesRequirement: 'containerName',
  PodSecurityContext:
    'runAsUser runAsGroup runAsNonRoot fsGroup fsGroupChangePolicy supplementalGroupsPolicy seLinuxChangePolicy',
  PodSpec:
    'terminationGracePeriodSeconds activeDeadlineSeconds automountServiceAccountToken shareProcessNamespace priority preemptionPolicy runtimeClassName enableServiceLinks setHostnameAsFQDN hostUsers hostnameOverride',
  PodResourceClaim: 'resourceClaimName resourceClaimTemplateName',
  PortStatus: 'error',
  Preconditions: 'uid resourceVersion',
  Probe: 'terminationGracePeriodSeconds',
  ProjectedVolumeSource: 'defaultMode',
  ReplicaSetSpec: 'replicas',
  ReplicaSetStatus: 'terminatingReplicas',
  SeccompProfile: 'localhostProfile',
  AppArmorProfile: 'localhostProfile',
  Secret: 'immutable',
  SecretEnvSource: 'optional',
  SecretKeySelector: 'optional',
  SecretProjection: 'optional',
  SecretVolumeSource: 'defaultMode optional',
  SecurityContext:
    'privileged runAsUser runAsGroup runAsNonRoot readOnlyRootFilesystem allowPrivilegeEscalation procMount',
  ServiceAccount: 'automountServiceAccountToken',
  ServiceAccountTokenProjection: 'expirationSeconds',
  ServicePort: 'appProtocol',
  ServiceSpec:
    'ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy trafficDistribution',
  ClientIPConfig: 'timeoutSeconds',
  Toleration: 'tolerationSeconds',
  TopologySpreadConstraint: 'minDomains nodeAffinityPolicy nodeTaintsPolicy',
  VolumeMount: 'mountPropagation recursiveReadOnly',
  VolumeMountStatus: 'recursiveReadOnly',
  WindowsSecurityContextOptions: 'gmsaCredentialSpecName gmsaCredentialSpec runAsUserName hostProcess',
  NodeSwapStatus: 'capacity',
  NodeRuntimeHandlerFeatures: 'recursiveReadOnlyMounts userNamespaces',
  NodeFeatures: 'supplementalGroupsPolicy',
  SuccessPolicyRule: 'succeededIndexes succeededCount',
};

const pointers = new Map(
  Object.entries(pointerFields).map(([type, fields]) => [type, new Set(fields.split(' '))]),
);

/** Whether Go distinguishes an empty value of this field from an absent one. */
export const isPointerField = (type: string, field: string): boolean =>
  pointers.get(type)?.has(field) ?? false;

/** Groups whose types are all described above; elsewhere zero values are kept as they were sent. */
export const describedGroups: ReadonlySet<string> = new Set([
  'io.k8s.api.core.v1',
  'io.k8s.api.apps.v1',
  'io.k8s.api.batch.v1',
  'io.k8s.api.coordination.v1',
  'io.k8s.api.discovery.v1',
  'io.k8s.api.events.v1',
  'io.k8s.apimachinery.pkg.apis.meta.v1',
]);

/** Fields whose Go type is a named string, map or integer, by type. */
const namedTypes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Container: { imagePullPolicy: 'v1.PullPolicy', terminationMessagePolicy: 'v1.TerminationMessagePolicy' },
  ContainerPort: { protocol: 'v1.Protocol' },
  DeploymentStrategy: { type: 'v1.DeploymentStrategyType' },
  EmptyDirVolumeSource: { medium: 'v1.StorageMedium' },
  EndpointPort: { protocol: 'v1.Protocol' },
  EndpointSlice: { addressType: 'v1.AddressType' },
  HTTPGetAction: { scheme: 'v1.URIScheme' },
  HostPathVolumeSource: { type: 'v1.HostPathType' },
  JobSpec: { completionMode: 'v1.CompletionMode', podReplacementPolicy: 'v1.PodReplacementPolicy' },
  LabelSelectorRequirement: { operator: 'v1.LabelSelectorOperator' },
  NamespaceStatus: { phase: 'v1.NamespacePhase' },
  NodeSelectorRequirement: { operator: 'v1.NodeSelectorOperator' },
  NodeStatus: { capacity: 'v1.ResourceList', allocatable: 'v1.ResourceList', phase: 'v1.NodePhase' },
  ObjectMeta: { uid: 'types.UID' },
  ObjectReference: { uid: 'types.UID' },
  OwnerReference: { uid: 'types.UID' },
  PodSpec: {
    restartPolicy: 'v1.RestartPolicy',
    dnsPolicy: 'v1.DNSPolicy',
    preemptionPolicy: 'v1.PreemptionPolicy',
    overhead: 'v1.ResourceList',
  },
  PodStatus: { phase: 'v1.PodPhase', qosClass: 'v1.PodQOSClass' },
  ResourceRequirements: { limits: 'v1.ResourceList', requests: 'v1.ResourceList' },
  Secret: { type: 'v1.SecretType' },
  ServicePort: { protocol: 'v1.Protocol' },
  ServiceSpec: {
    type: 'v1.ServiceType',
    sessionAffinity: 'v1.ServiceAffinity',
    externalTrafficPolicy: 'v1.ServiceExternalTrafficPolicy',
    internalTrafficPolicy: 'v1.ServiceInternalTrafficPolicy',
    ipFamilyPolicy: 'v1.IPFamilyPolicy',
  },
  Taint: { effect: 'v1.TaintEffect' },
  Toleration: { operator: 'v1.TolerationOperator', effect: 'v1.TaintEffect' },
  VolumeMount: { mountPropagation: 'v1.MountPropagationMode' },
};

/** The named Go type of a field, if it is not the plain one. */
export const namedGoType = (type: string, field: string): string | undefined => namedTypes[type]?.[field];
