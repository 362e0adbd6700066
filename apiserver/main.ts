import { readFileSync } from 'node:fs';
import { runComponent } from '../client/component.ts';
import { startApiServer } from './apiserver.ts';
import { flags } from './flags.ts';

await runComponent({
  name: 'apiserver',
  flags,
  start: (values, context) => startApiServer(values, { ...context, read: (path) => readFileSync(path) }),
});
