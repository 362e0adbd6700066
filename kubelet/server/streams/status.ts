import type { Status } from '../../../api/object.ts';

/** How a remote command ended, as the error channel tells it. Kubernetes leaves out kind, version and code. */
export type RemoteStatus = Pick<Status, 'metadata' | 'status' | 'message' | 'reason' | 'details'> & {
  code?: number;
};

export const succeeded: RemoteStatus = { metadata: {}, status: 'Success' };

/** What kubectl reads the exit code from. */
export const exitedWith = (code: number): RemoteStatus => ({
  metadata: {},
  status: 'Failure',
  message: `command terminated with non-zero exit code: exit status ${code}`,
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
});

/** The command could not be run, or was lost. */
export const failedBecause = (why: string): RemoteStatus => ({
  metadata: {},
  status: 'Failure',
  message: `Internal error occurred: ${why}`,
  reason: 'InternalError',
  details: { causes: [{ message: why }] },
  code: 500,
});
