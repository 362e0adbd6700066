import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type DecodedPacket, decode, encode, type Packet, type RecordType } from 'dns-packet';
import t, { type Test } from 'tap';
import type { Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import { Forwarder } from './forward.ts';
import { Responder } from './responder.ts';
import { DnsServer } from './server.ts';
import type { Zone } from './zone.ts';

type Answer = DecodedPacket & { rcode: string };

const many = Array.from({ length: 60 }, (_, index) => ({ addresses: [`10.244.0.${index + 1}`] }));
const services: Record<string, Service> = {
  web: { metadata: { name: 'web', namespace: 'default' }, spec: { clusterIP: '10.96.0.7' } },
  many: { metadata: { name: 'many', namespace: 'default' }, spec: { clusterIP: 'None' } },
  out: {
    metadata: { name: 'out', namespace: 'default' },
    spec: { type: 'ExternalName', externalName: 'example.com' },
  },
  inside: {
    metadata: { name: 'inside', namespace: 'default' },
    spec: { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' },
  },
  circle: {
    metadata: { name: 'circle', namespace: 'default' },
    spec: { type: 'ExternalName', externalName: 'circle.default.svc.cluster.local' },
  },
};
const slices: Record<string, EndpointSlice[]> = { many: [{ addressType: 'IPv4', endpoints: many }] };

const zone: Zone = {
  domain: 'cluster.local',
  ttl: 5,
  serial: 1,
  isClusterIP: () => false,
  view: {
    service: (_namespace, name) => services[name],
    slices: (_namespace, name) => slices[name] ?? [],
    hasNamespace: () => true,
    serviceByIP: () => undefined,
    slicesByIP: () => [],
  },
};

async function server(t: Test, options: { upstream?: number; servers?: string[]; ready?: boolean } = {}) {
  const responder = new Responder({
    zone,
    ready: () => options.ready ?? true,
    shuffle: (list) => [...list],
    forwarder: new Forwarder({
      servers: () => options.servers ?? ['127.0.0.1'],
      port: options.upstream ?? 1,
      timeout: 10_000,
    }),
  });
  const listening = await DnsServer.listen({
    address: '127.0.0.1',
    port: 0,
    respond: (message, transport) => responder.respond(message, transport),
  });
  t.teardown(() => listening.close());
  return listening.port;
}

async function sendUdp(port: number, message: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4');
  socket.send(message, port, '127.0.0.1');
  const [answer] = (await once(socket, 'message')) as [Buffer];
  socket.close();
  return answer;
}

async function sendTcp(port: number, messages: Buffer[]): Promise<Buffer[]> {
  const socket = connect(port, '127.0.0.1');
  const answers: Buffer[] = [];
  let received = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      answers.push(received.subarray(2, 2 + received.readUInt16BE(0)));
      received = received.subarray(2 + received.readUInt16BE(0));
    }
    if (answers.length === messages.length) socket.end();
  });
  for (const message of messages) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    socket.write(Buffer.concat([length, message]));
  }
  await once(socket, 'close');
  return answers;
}

const query = (name: string, type: RecordType = 'A', more: Packet = {}) =>
  encode({ type: 'query', id: 4711, flags: 0x0100, questions: [{ name, type }], ...more });

const edns = (udpPayloadSize: number, ednsVersion = 0): Packet => ({
  additionals: [
    {
      type: 'OPT',
      name: '.',
      udpPayloadSize,
      extendedRcode: 0,
      ednsVersion,
      flags: 0,
      flag_do: false,
      options: [],
    },
  ],
});

const ask = async (port: number, name: string, type?: RecordType, more?: Packet) =>
  decode(await sendUdp(port, query(name, type, more))) as Answer;

const data = (answer: Answer) =>
  answer.answers?.map((record) => ('data' in record ? record.data : undefined));

/** A name server that answers every A question with one address and says how often it was asked. */
async function upstream(t: Test, { rcode = 0, delay = 0 } = {}) {
  const socket = createSocket('udp4');
  let asked = 0;
  socket.on('message', (message, from) => {
    asked++;
    const received = decode(message);
    const answer = encode({
      type: 'response',
      id: received.id,
      flags: 0x0180 | rcode,
      questions: received.questions,
      answers: rcode ? [] : [{ type: 'A', name: received.questions![0]!.name, ttl: 60, data: '192.0.2.33' }],
    });
    setTimeout(() => socket.send(answer, from.port, from.address), delay);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.teardown(() => socket.close());
  return { port: socket.address().port, asked: () => asked };
}

t.test('answers a service over UDP and TCP, keeping id and case', async (t) => {
  const port = await server(t);
  const answer = await ask(port, 'Web.Default.svc.cluster.LOCAL');
  t.match(answer, { id: 4711, rcode: 'NOERROR', flag_aa: true, flag_ra: true, flag_rd: true });
  t.equal(answer.questions?.[0]?.name, 'Web.Default.svc.cluster.LOCAL');
  t.equal(answer.answers?.[0]?.name, 'Web.Default.svc.cluster.LOCAL');
  t.same(data(answer), ['10.96.0.7']);
  const both = await sendTcp(port, [
    query('web.default.svc.cluster.local'),
    query('absent.default.svc.cluster.local'),
  ]);
  t.same(both.map((message) => (decode(message) as Answer).rcode).sort(), ['NOERROR', 'NXDOMAIN']);
});

t.test('cuts an answer to what the client takes over UDP, and gives all over TCP', async (t) => {
  const port = await server(t);
  const short = await sendUdp(port, query('many.default.svc.cluster.local'));
  t.ok(short.length <= 512);
  t.match(decode(short), { flag_tc: true });
  t.ok((decode(short).answers?.length ?? 0) > 20, 'as many as fit are there');
  const wide = (await ask(port, 'many.default.svc.cluster.local', 'A', edns(4096))) as Answer;
  t.equal(wide.flag_tc, false);
  t.equal(wide.answers?.length, 60);
  const [whole] = await sendTcp(port, [query('many.default.svc.cluster.local')]);
  t.equal(decode(whole!).answers?.length, 60);
});

t.test('EDNS is answered with EDNS, and unknown versions refused', async (t) => {
  const port = await server(t);
  const answer = await ask(port, 'web.default.svc.cluster.local', 'A', edns(1232));
  t.match(answer.additionals, [{ type: 'OPT', udpPayloadSize: 1232, extendedRcode: 0 }]);
  const wrong = await ask(port, 'web.default.svc.cluster.local', 'A', edns(1232, 1));
  t.match(wrong.additionals, [{ type: 'OPT', extendedRcode: 1 }], 'BADVERS is 16: its high bits are 1');
});

t.test('passes other names on, and says SERVFAIL when nobody answers', async (t) => {
  const up = await upstream(t);
  const port = await server(t, { upstream: up.port });
  const answer = await ask(port, 'ExAmple.com');
  t.same(data(answer), ['192.0.2.33']);
  t.equal(answer.questions?.[0]?.name, 'ExAmple.com');
  t.equal(answer.id, 4711);
  const alone = await server(t, { upstream: 1 });
  t.equal((await ask(alone, 'example.com')).rcode, 'SERVFAIL');
  const without = await server(t, { servers: [] });
  t.equal((await ask(without, 'example.com')).rcode, 'SERVFAIL');
});

t.test('the same question at once is asked once, so that a loop ends', async (t) => {
  // All three are under way before the first is answered.
  const up = await upstream(t, { delay: 1_000 });
  const port = await server(t, { upstream: up.port });
  const answers = await Promise.all([1, 2, 3].map(() => ask(port, 'example.com')));
  t.same(answers.map(data), [['192.0.2.33'], ['192.0.2.33'], ['192.0.2.33']]);
  t.equal(up.asked(), 1);
});

t.test('a name server that leads back here ends in SERVFAIL', async (t) => {
  const looping = { port: 0 };
  const responder = new Responder({
    zone,
    ready: () => true,
    shuffle: (list) => [...list],
    forwarder: new Forwarder({
      servers: () => ['127.0.0.1'],
      get port() {
        return looping.port;
      },
      timeout: 200,
    }),
  });
  const listening = await DnsServer.listen({
    address: '127.0.0.1',
    port: 0,
    respond: (message, transport) => responder.respond(message, transport),
  });
  t.teardown(() => listening.close());
  looping.port = listening.port;
  t.equal((await ask(listening.port, 'example.com')).rcode, 'SERVFAIL');
});

t.test('aliases are followed outside and inside, and not in circles', async (t) => {
  const up = await upstream(t);
  const port = await server(t, { upstream: up.port });
  t.same(data(await ask(port, 'out.default.svc.cluster.local')), ['example.com', '192.0.2.33']);
  t.same(data(await ask(port, 'inside.default.svc.cluster.local')), [
    'web.default.svc.cluster.local',
    '10.96.0.7',
  ]);
  t.equal((await ask(port, 'circle.default.svc.cluster.local')).rcode, 'SERVFAIL');
  const refused = await upstream(t, { rcode: 3 });
  const other = await server(t, { upstream: refused.port });
  t.equal((await ask(other, 'out.default.svc.cluster.local')).rcode, 'NXDOMAIN');
});

t.test('says SERVFAIL, not NXDOMAIN, until it knows the services', async (t) => {
  const port = await server(t, { ready: false });
  t.equal((await ask(port, 'web.default.svc.cluster.local')).rcode, 'SERVFAIL');
});

t.test('malformed messages get their code or silence, and the server lives', async (t) => {
  const port = await server(t);
  const good = query('web.default.svc.cluster.local');
  const broken = (change: (message: Buffer) => void) => {
    const copy = Buffer.from(good);
    change(copy);
    return copy;
  };
  const cases: [string, Buffer, string][] = [
    ['two questions', broken((message) => message.writeUInt16BE(2, 4)), 'FORMERR'],
    ['no question', broken((message) => message.writeUInt16BE(0, 4)), 'FORMERR'],
    ['a pointer that points at itself', broken((message) => message.writeUInt16BE(0xc00c, 12)), 'FORMERR'],
    ['cut off in the name', good.subarray(0, 20), 'FORMERR'],
    ['cut off in the type', good.subarray(0, good.length - 3), 'FORMERR'],
    ['a count of records that are not there', broken((message) => message.writeUInt16BE(3, 10)), 'FORMERR'],
    ['another operation', broken((message) => message.writeUInt16BE(0x2000, 2)), 'NOTIMP'],
    ['another class', broken((message) => message.writeUInt16BE(3, message.length - 2)), 'REFUSED'],
  ];
  for (const [name, message, expected] of cases)
    t.equal((decode(await sendUdp(port, message)) as Answer).rcode, expected, name);
  const silent = createSocket('udp4');
  for (const message of [Buffer.alloc(0), Buffer.alloc(5), broken((copy) => copy.writeUInt16BE(0x8000, 2))])
    silent.send(message, port, '127.0.0.1');
  // In order: had one of them been answered, its answer would come first.
  silent.send(good, port, '127.0.0.1');
  const [first] = (await once(silent, 'message')) as [Buffer];
  t.equal((decode(first) as Answer).rcode, 'NOERROR');
  silent.close();
});

t.test('random bytes never end the server', async (t) => {
  const port = await server(t, { upstream: 1 });
  const socket = createSocket('udp4');
  let seed = 1;
  const random = () => {
    seed = (seed * 48_271) % 0x7fffffff;
    return seed;
  };
  for (let i = 0; i < 500; i++) {
    const message = query('web.default.svc.cluster.local', 'A', edns(4096));
    for (let changes = random() % 6; changes >= 0; changes--)
      message[random() % message.length] = random() % 256;
    socket.send(message.subarray(0, random() % (message.length + 1)), port, '127.0.0.1');
  }
  socket.close();
  t.same(data(await ask(port, 'web.default.svc.cluster.local')), ['10.96.0.7']);
});
