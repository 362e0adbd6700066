import { connect, createServer } from 'node:net';

/**
 * Runs inside a pod's network namespace: each connection to the socket file (first argument) says a port in its
 * first line, and is then joined to that port of the pod's loopback address.
 */
const [, , path] = process.argv;

const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
  client.on('error', () => client.destroy());
  let line = Buffer.alloc(0);
  const onReadable = () => {
    for (let byte: Buffer | null = client.read(1); byte; byte = client.read(1)) {
      if (byte[0] !== 0x0a) {
        line = Buffer.concat([line, byte]);
        continue;
      }
      client.off('readable', onReadable);
      const target = connect({ host: '127.0.0.1', port: Number(line.toString()), allowHalfOpen: true });
      target.once('connect', () => {
        client.write('ok\n');
        client.pipe(target);
        target.pipe(client);
      });
      target.on('error', (error) => {
        client.end(`${error.message}\n`);
        client.resume();
      });
      target.on('close', () => client.end());
      client.on('close', () => target.destroy());
      return;
    }
  };
  client.on('readable', onReadable);
});
// The kubelet holds the other end of stdin: when it is gone, so is the need for this.
process.stdin.on('end', () => process.exit(0)).resume();
server.listen(path, () => process.stdout.write('ready\n'));
