/**
 * Fields of API level 1.28 to 1.34 that the kubelet reads or writes and the generated types may lack.
 * https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
 */
declare module '../api/types/core-v1.ts' {
  interface Container {
    /** `Always` on an init container makes it a sidecar. */
    restartPolicy?: string;
  }
  interface LifecycleHandler {
    sleep?: SleepAction;
  }
  interface SleepAction {
    seconds: number;
  }
  interface PodStatus {
    hostIPs?: HostIP[];
    observedGeneration?: number;
  }
  interface HostIP {
    ip: string;
  }
  interface PodCondition {
    observedGeneration?: number;
  }
}

export {};
