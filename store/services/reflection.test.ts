import { once } from 'node:events';
import { type ClientDuplexStream, credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { ServiceClient, ServiceClientConstructor } from '@grpc/grpc-js/build/src/make-client.js';
import { fromJSON, loadFileDescriptorSetFromObject } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';
import t from 'tap';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../testing/process.ts';
import { filesOf, reflect } from '../testing/reflect.ts';

/** Reflection as generic clients use it: grpc-js and protobufjs, which know nothing of our codecs. */

const directory = temporaryDirectory();
const store = await StoreProcess.start({ kind: 'store', dataDir: directory, port: await freePort() });
t.teardown(async () => {
  await store.stop();
  removeDirectory(directory);
});
const versions = ['v1', 'v1alpha'] as const;
const client = await store.connect();
t.teardown(() => client.close());

/** What such a client is built with: the published reflection.proto, as far as is needed here. */
const reflectionProto = (version: string) => `
  syntax = "proto3";
  package grpc.reflection.${version};
  service ServerReflection {
    rpc ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse);
  }
  message ServerReflectionRequest {
    string host = 1;
    oneof message_request { string file_by_filename = 3; string file_containing_symbol = 4; string list_services = 7; }
  }
  message ServerReflectionResponse {
    oneof message_response {
      FileDescriptorResponse file_descriptor_response = 4;
      ListServiceResponse list_services_response = 6;
    }
  }
  message FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; }
  message ListServiceResponse { repeated ServiceResponse service = 1; }
  message ServiceResponse { string name = 1; }`;

type Constructors = Record<string, ServiceClientConstructor>;
const loaderOptions = { keepCase: true, longs: String, bytes: Buffer } as const;

/** A client of a service whose name and messages are known from reflection alone. */
async function reflected(version: string, service: string): Promise<ServiceClient> {
  const schema = protobuf.parse(reflectionProto(version), { keepCase: true }).root;
  const definition = loadPackageDefinition(fromJSON(schema.toJSON(), loaderOptions)) as unknown as {
    grpc: { reflection: Record<string, Constructors> };
  };
  const target = store.url.replace('http://', '');
  const reflection = new definition.grpc.reflection[version]!.ServerReflection!(
    target,
    credentials.createInsecure(),
  );
  const stream: ClientDuplexStream<
    object,
    { file_descriptor_response: { file_descriptor_proto: Buffer[] } }
  > = reflection.ServerReflectionInfo!();
  stream.write({ file_containing_symbol: service });
  const [answer] = await once(stream, 'data');
  stream.end();
  stream.resume();
  await once(stream, 'end');
  reflection.close();
  const file = answer.file_descriptor_response.file_descriptor_proto.map((bytes: Buffer) =>
    descriptor.FileDescriptorProto.decode(bytes),
  );
  const [scope, name] = service.split('.');
  const loaded = loadPackageDefinition(loadFileDescriptorSetFromObject({ file }, loaderOptions));
  return new (loaded[scope!] as unknown as Constructors)[name!]!(target, credentials.createInsecure());
}

function call(service: ServiceClient, method: string, request: object): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    service[method]!(request, (error: Error | null, response: Record<string, unknown>) =>
      error ? reject(error) : resolve(response),
    );
  });
}

for (const version of versions)
  t.test(`${version}: a client that knows only the descriptors puts, ranges and compares`, async (t) => {
    const kv = await reflected(version, 'etcdserverpb.KV');
    const key = Buffer.from(`reflected/${version}`);
    await call(kv, 'Put', { key, value: Buffer.from('1') });
    const { header } = await call(kv, 'Put', { key, value: Buffer.from('2') });
    t.match(header, { revision: /^\d+$/, raft_term: '2' });
    const range = await call(kv, 'Range', { key, sort_order: 'DESCEND', sort_target: 'MOD' });
    t.match(range, { count: '1', kvs: [{ key, value: Buffer.from('2'), version: '2' }] });
    const txn = await call(kv, 'Txn', {
      compare: [{ key, target: 'VERSION', result: 'EQUAL', version: 2 }],
      success: [{ request_delete_range: { key, prev_kv: true } }],
    });
    t.match(txn, { succeeded: true, responses: [{ response_delete_range: { deleted: '1' } }] });
    kv.close();
  });

t.test('a stream of such a client: a watch brings the event', async (t) => {
  const watch = await reflected('v1', 'etcdserverpb.Watch');
  const kv = await reflected('v1', 'etcdserverpb.KV');
  const stream = watch.Watch!() as ClientDuplexStream<object, object>;
  stream.write({ create_request: { key: Buffer.from('seen'), filters: ['NODELETE'] } });
  t.match((await once(stream, 'data'))[0], { created: true });
  const event = once(stream, 'data');
  await call(kv, 'Put', { key: Buffer.from('seen'), value: Buffer.from('1') });
  t.match((await event)[0], { events: [{ kv: { key: Buffer.from('seen') } }] });
  stream.on('error', () => undefined);
  stream.cancel();
  watch.close();
  kv.close();
});

for (const version of versions)
  t.test(`${version}: the services are listed in order, and each has a file`, async (t) => {
    const [list] = await reflect(client, [{ list_services: '' }], version);
    const names = list!.list_services_response!.service.map(({ name }) => name);
    t.same(names, [
      'etcdserverpb.Auth',
      'etcdserverpb.Cluster',
      'etcdserverpb.KV',
      'etcdserverpb.Lease',
      'etcdserverpb.Maintenance',
      'etcdserverpb.Watch',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
    for (const name of names) {
      const [answer] = await reflect(client, [{ file_containing_symbol: name }], version);
      const [file, ...needed] = filesOf(answer!);
      t.ok(
        file!.service.some((service) => `${file!.package}.${service.name}` === name),
        name,
      );
      t.same(
        needed.map((dependency) => dependency.name),
        file!.dependency,
      );
    }
  });

const symbols: [string, string][] = [
  ['etcdserverpb.KV.Range', 'rpc.proto'],
  ['etcdserverpb.RangeRequest', 'rpc.proto'],
  ['etcdserverpb.RangeRequest.SortOrder', 'rpc.proto'],
  ['etcdserverpb.RangeRequest.ASCEND', 'rpc.proto'],
  ['etcdserverpb.RangeRequest.range_end', 'rpc.proto'],
  ['etcdserverpb.Compare.target_union', 'rpc.proto'],
  ['etcdserverpb.NOSPACE', 'rpc.proto'],
  ['mvccpb.Event.EventType', 'kv.proto'],
  ['authpb.Permission', 'auth.proto'],
  ['grpc.health.v1.HealthCheckResponse', 'grpc/health/v1/health.proto'],
  ['grpc.reflection.v1alpha.ExtensionRequest', 'grpc/reflection/v1alpha/reflection.proto'],
];

t.test('every kind of symbol leads to its file', async (t) => {
  const answers = await reflect(
    client,
    symbols.map(([file_containing_symbol]) => ({ file_containing_symbol })),
  );
  t.same(
    answers.map((answer, i) => [symbols[i]![0], filesOf(answer)[0]?.name]),
    symbols,
  );
});

t.test('a file comes with what it needs once a stream', async (t) => {
  const names = ['rpc.proto', 'rpc.proto', 'kv.proto'];
  const answers = await reflect(
    client,
    names.map((file_by_filename) => ({ file_by_filename })),
  );
  t.same(
    answers.map((answer) => filesOf(answer).map(({ name }) => name)),
    [['rpc.proto', 'kv.proto', 'auth.proto'], ['rpc.proto'], ['kv.proto']],
  );
});

t.test('what is not there is NOT_FOUND in the answer, and the stream goes on', async (t) => {
  const requests = [
    { file_by_filename: 'no.proto' },
    { file_containing_symbol: 'etcdserverpb.No' },
    { file_containing_symbol: '' },
    { file_containing_symbol: '.etcdserverpb.KV' },
    { file_containing_extension: { containing_type: 'etcdserverpb.PutRequest', extension_number: 1 } },
    { all_extension_numbers_of_type: 'etcdserverpb.No' },
    { host: 'h', all_extension_numbers_of_type: 'etcdserverpb.PutRequest' },
  ];
  const answers = await reflect(client, requests);
  t.same(
    answers.map(({ error_response }) => error_response?.error_code),
    [5, 5, 5, 5, 5, 5, undefined],
  );
  const last = answers.at(-1)!;
  t.same(last.all_extension_numbers_response, {
    base_type_name: 'etcdserverpb.PutRequest',
    extension_number: [],
  });
  t.equal(last.valid_host, 'h');
  t.equal(last.original_request!.all_extension_numbers_of_type, 'etcdserverpb.PutRequest');
});

t.test('a request that asks for nothing ends the stream with INVALID_ARGUMENT', async (t) => {
  await t.rejects(reflect(client, [{ host: 'x' }]), { code: 3 });
});
