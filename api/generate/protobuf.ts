/**
 * Writes `api/protobuf/kubernetes.json`: field numbers of the Kubernetes types, read from the protobuf descriptors
 * that every kubectl binary up to 1.33 carries (Kubernetes, Apache-2.0).
 *
 *   node api/generate/protobuf.ts PATH-TO-KUBECTL > api/protobuf/kubernetes.json
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { bool, embedded, type Infer, int64, message, repeated, string } from '../etcd/codec.ts';
import { definitions } from '../schema/kubernetes.ts';

const FieldDescriptor = message({
  name: string(1),
  number: int64(3),
  label: int64(4),
  type: int64(5),
  type_name: string(6),
});
const MessageOptions = message({ map_entry: bool(7) });
const NestedDescriptor = message({
  name: string(1),
  field: repeated(2, () => FieldDescriptor),
  options: embedded(7, () => MessageOptions),
});
const MessageDescriptor = message({
  name: string(1),
  field: repeated(2, () => FieldDescriptor),
  nested_type: repeated(3, () => NestedDescriptor),
});
const FileDescriptor = message({
  name: string(1),
  package: string(2),
  message_type: repeated(4, () => MessageDescriptor),
});

/** Types of descriptor.proto by what they become in JSON. */
const scalars: Record<number, string> = {
  1: 'double',
  3: 'int',
  4: 'int',
  5: 'int',
  8: 'bool',
  9: 'string',
  12: 'bytes',
  13: 'int',
};
const repeatedLabel = 3;
const messageType = 11;

const served =
  /^k8s\.io\.(api\.[a-z]+\.v[12]|apimachinery\.pkg\.(apis\.meta\.v1|runtime|api\.resource|util\.intstr))$/;

function* descriptors(binary: Buffer): Generator<Infer<typeof FileDescriptor>> {
  // Go's gzip writes this header; whatever else begins so does not decompress to a descriptor.
  const magic = Buffer.from('1f8b08000000000002ff', 'hex');
  for (let at = binary.indexOf(magic); at >= 0; at = binary.indexOf(magic, at + 1)) {
    try {
      const bytes = gunzipSync(binary.subarray(at, at + 4_000_000), { finishFlush: 2 });
      const file = FileDescriptor.decode(bytes);
      if (file.name.startsWith('k8s.io/')) yield file;
    } catch {
      // Not a descriptor.
    }
  }
}

const types: Record<string, Record<string, string>> = {};

for (const file of descriptors(readFileSync(process.argv[2]!))) {
  if (!served.test(file.package)) continue;
  for (const type of file.message_type) {
    const full = `${file.package}.${type.name}`;
    const schema = definitions[`io.${full.replace(/^k8s\.io/, 'k8s')}`];
    const fields: Record<string, string> = {};
    for (const field of type.field) {
      const target = field.type_name.replace(/^\./, '');
      const entry = type.nested_type.find(
        (nested) => nested.options?.map_entry && `${full}.${nested.name}` === target,
      );
      const shape = (of: Infer<typeof FieldDescriptor>): string => {
        const scalar = scalars[of.type];
        if (scalar) return scalar;
        if (of.type !== messageType) throw new Error(`${full}.${of.name}: type ${of.type}`);
        return `@${of.type_name.replace(/^\./, '')}`;
      };
      let kind: string;
      if (entry) kind = `map ${shape(entry.field.find((item) => item.number === 2)!)}`;
      else if (field.label === repeatedLabel) kind = `list ${shape(field)}`;
      else kind = shape(field);
      // Structs embedded in Go have a field in protobuf and none in JSON.
      const inline =
        kind.startsWith('@') && schema?.properties && !Object.hasOwn(schema.properties, field.name);
      fields[field.number] = `${inline ? '' : field.name} ${kind}`;
    }
    types[full] = fields;
  }
}

process.stdout.write(`${JSON.stringify(types)}\n`);
