import type { IncomingMessage } from 'node:http';

/** The lines of a watch stream, parsed, as they come. Ends when the stream does. */
export async function* readWatchLines(response: IncomingMessage): AsyncGenerator<unknown> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line) yield JSON.parse(line);
  }
}
