import type { FlagDeclarations, FlagValues } from '../api/flags.ts';

/** etcd's flags, as far as they make sense for one member. */
export const storeFlags = {
  name: { type: 'string', default: 'default', help: 'name of this member' },
  'data-dir': { type: 'string', default: 'default.etcd', help: 'directory of the data' },
  'listen-client-urls': {
    type: 'list',
    default: ['http://localhost:2379'],
    help: 'URLs to serve clients on',
  },
  'advertise-client-urls': {
    type: 'list',
    help: 'URLs that clients are told; default: those listened on',
  },
  'cert-file': { type: 'string', default: '', help: 'certificate of the server, PEM' },
  'key-file': { type: 'string', default: '', help: 'key of the server, PEM' },
  'trusted-ca-file': { type: 'string', default: '', help: 'CA that signs client certificates, PEM' },
  'client-cert-auth': { type: 'boolean', default: false, help: 'demand a client certificate' },
  'listen-metrics-urls': { type: 'list', default: [], help: 'more URLs for /metrics, /health and /readyz' },
  'quota-backend-bytes': {
    type: 'number',
    default: 0,
    help: 'bytes on disk above which writes are refused; 0: 2 GiB, negative: no limit',
  },
  'max-txn-ops': { type: 'number', default: 128, help: 'operations allowed in a transaction' },
  'max-request-bytes': { type: 'number', default: 1_572_864, help: 'largest request in bytes' },
  'auto-compaction-mode': { type: 'string', default: 'periodic', help: 'periodic or revision' },
  'auto-compaction-retention': {
    type: 'string',
    default: '0',
    help: 'history to keep: a duration or hours (periodic), or revisions; 0: all',
  },
  'watch-progress-notify-interval': {
    type: 'duration',
    default: '10m',
    help: 'time between progress notifications to watches that want them and are idle; at least 100ms',
  },
  'experimental-watch-progress-notify-interval': {
    type: 'duration',
    help: 'the name of --watch-progress-notify-interval before etcd 3.6',
  },
  'accept-data-loss': {
    type: 'boolean',
    default: false,
    help: 'start even if revisions that were acknowledged are gone, from the last one that is left',
  },
  'log-level': { type: 'string', default: 'info', help: 'debug, info, warn or error' },
} as const satisfies FlagDeclarations;

export type StoreFlags = FlagValues<typeof storeFlags>;
