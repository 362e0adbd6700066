import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants, gunzipSync } from 'node:zlib';
import t from 'tap';
import { FileDescriptorProto } from '../../store/services/descriptor-proto.ts';
import { freePort, removeDirectory, StoreProcess, temporaryDirectory } from '../../store/testing/process.ts';
import { filesOf, reflect } from '../../store/testing/reflect.ts';

/** The descriptors that our reflection serves against those that etcd's program was compiled with. */

/** A Go program holds its descriptors as gzip streams of one deflate block, with no time and no name. */
const gzipHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
/** More than any of them takes. */
const largest = 64 * 1024;

function descriptorsOf(program: string): Map<string, FileDescriptorProto> {
  const bytes = readFileSync(program);
  const found = new Map<string, FileDescriptorProto>();
  for (let at = bytes.indexOf(gzipHeader); at >= 0; at = bytes.indexOf(gzipHeader, at + 1)) {
    let file: FileDescriptorProto;
    try {
      // What follows the stream is not part of it.
      file = FileDescriptorProto.decode(
        gunzipSync(bytes.subarray(at, at + largest), { finishFlush: constants.Z_SYNC_FLUSH }),
      );
    } catch {
      continue;
    }
    found.set(`${file.package}/${file.name}`, file);
  }
  return found;
}

/** Everything that a file declares, one line each, without order. */
function lines(file: FileDescriptorProto): string[] {
  const enumLines = (prefix: string, { name, value }: FileDescriptorProto['enum_type'][number]) =>
    value.map((item) => `enum ${prefix}${name} ${item.name} = ${item.number}`);
  return [
    ...file.message_type.flatMap(({ name, field, oneof_decl, enum_type }) => [
      `message ${name}`,
      ...field.map((item) => {
        const oneof = item.oneof_index === undefined ? '' : `oneof ${oneof_decl[item.oneof_index]!.name} `;
        const type = `label ${item.label} type ${item.type} ${item.type_name}`;
        return `field ${name}.${item.name} = ${item.number} ${oneof}${type} json ${item.json_name}`;
      }),
      ...enum_type.flatMap((nested) => enumLines(`${name}.`, nested)),
    ]),
    ...file.enum_type.flatMap((type) => enumLines('', type)),
    ...file.service.flatMap(({ name, method }) =>
      method.map(
        (item) =>
          `rpc ${name}.${item.name} ${item.client_streaming}/${item.server_streaming} ` +
          `${item.input_type} ${item.output_type}`,
      ),
    ),
  ];
}

const directory = temporaryDirectory();
const store = await StoreProcess.start({ kind: 'store', dataDir: directory, port: await freePort() });
t.teardown(async () => {
  await store.stop();
  removeDirectory(directory);
});

/** What no method refers to: etcd's own records. */
const unreferenced = /^(message|field) (User|Role|LeaseCheckpoint\w*)(\.|$)/;
/** What 3.5 has and 3.4 has not. */
const since35 = /AuthStatus|Downgrade|MemberListRequest\.linearizable/;

const files = [
  ['kv.proto', 'mvccpb/kv.proto'],
  ['auth.proto', 'authpb/auth.proto'],
  ['rpc.proto', 'etcdserverpb/rpc.proto'],
  ['grpc/health/v1/health.proto', 'grpc.health.v1/grpc/health/v1/health.proto'],
] as const;

t.test('names, numbers and types are those of the etcd that is installed', async (t) => {
  const theirs = descriptorsOf(execFileSync('which', ['etcd'], { encoding: 'utf8' }).trim());
  const client = await store.connect();
  const answers = await reflect(
    client,
    files.map(([file_by_filename]) => ({ file_by_filename })),
  );
  client.close();
  for (const [i, [name, theirName]] of files.entries()) {
    const real = theirs.get(theirName);
    if (!real) throw new Error(`etcd has no ${theirName}`);
    const mine = new Set(lines(filesOf(answers[i]!)[0]!));
    const reference = new Set(lines(real));
    t.ok(reference.size > 3, `${name} has ${reference.size} declarations`);
    t.same(
      [...reference].filter((line) => !mine.has(line) && !unreferenced.test(line)),
      [],
      `${name}: missing`,
    );
    t.same(
      [...mine].filter((line) => !reference.has(line) && !since35.test(line)),
      [],
      `${name}: too much`,
    );
  }
});
