/** Names a container of a pod. */
export interface ContainerRoute<Name extends string> {
  name: Name;
  namespace: string;
  pod: string;
  uid?: string;
  container: string;
}

export interface PortForwardRoute {
  name: 'portForward';
  namespace: string;
  pod: string;
  uid?: string;
}

export interface ReportRoute {
  name: 'pods' | 'runningpods' | 'summary' | 'metrics' | 'resourceMetrics' | 'cadvisorMetrics';
}

/** What a path of the kubelet's API names. */
export type Route =
  | { name: 'health'; endpoint: 'healthz' | 'livez' | 'readyz' }
  | ReportRoute
  | ContainerRoute<'logs'>
  | ContainerRoute<'exec'>
  | ContainerRoute<'attach'>
  | PortForwardRoute;

const fixed: Record<string, Route> = {
  '/healthz': { name: 'health', endpoint: 'healthz' },
  '/livez': { name: 'health', endpoint: 'livez' },
  '/readyz': { name: 'health', endpoint: 'readyz' },
  '/pods': { name: 'pods' },
  '/runningpods': { name: 'runningpods' },
  '/stats/summary': { name: 'summary' },
  '/metrics': { name: 'metrics' },
  '/metrics/resource': { name: 'resourceMetrics' },
  '/metrics/cadvisor': { name: 'cadvisorMetrics' },
};

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Undefined for a path that names nothing. A pod's UID may stand between its name and the container. */
export function parseRoute(path: string): Route | undefined {
  const plain = path.replace(/\/+$/, '');
  if (Object.hasOwn(fixed, plain)) return fixed[plain];
  const [first, ...rest] = plain.slice(1).split('/').map(decode);
  if (rest.includes('')) return undefined;
  const [namespace, pod, third, fourth, ...more] = rest;
  if (!namespace || !pod || more.length) return undefined;
  if (first === 'portForward') return fourth ? undefined : { name: first, namespace, pod, uid: third };
  if (!third) return undefined;
  if (first === 'containerLogs' && !fourth) return { name: 'logs', namespace, pod, container: third };
  if (first === 'exec' || first === 'attach')
    return { name: first, namespace, pod, uid: fourth && third, container: fourth ?? third };
  return undefined;
}
