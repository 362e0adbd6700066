/** Statuses of grpc.health.v1.HealthCheckResponse. */
const names = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** A HealthCheckRequest in a gRPC message frame. */
function requestFrame(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length > 0 ? Buffer.concat([Buffer.from([0x0a, name.length]), name]) : Buffer.alloc(0);
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}

/**
 * Asks a server for its health by the standard gRPC protocol, without TLS.
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 * @returns undefined when it serves, else what is wrong
 */
export async function grpcHealth(
  host: string,
  port: number,
  service: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  // Few pods have such a probe: HTTP/2 is loaded for the first.
  const { connect } = await import('node:http2');
  const session = connect(`http://${host}:${port}`);
  const close = () => session.destroy();
  signal.addEventListener('abort', close, { once: true });
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      session.on('error', (error) => reject(signal.aborted ? signal.reason : error));
      session.on('close', () => reject(signal.aborted ? signal.reason : new Error('connection closed')));
      const stream = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const chunks: Buffer[] = [];
      let status = '0';
      const note = (headers: Record<string, unknown>) => {
        if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status']);
      };
      stream.on('response', note).on('trailers', note).on('error', reject);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (status !== '0') return resolve(`rpc error: code = ${status}`);
        const message = Buffer.concat(chunks).subarray(5);
        const value = message[0] === 0x08 ? (message[1] ?? 0) : 0;
        resolve(value === 1 ? undefined : `service unhealthy (responded with "${names[value] ?? value}")`);
      });
      stream.end(requestFrame(service));
    });
  } finally {
    signal.removeEventListener('abort', close);
    session.destroy();
  }
}
