import { runComponent } from '../client/component.ts';
import { flags } from './flags.ts';
import { runKubelet } from './kubelet.ts';

await runComponent({ name: 'kubelet', flags, start: runKubelet });
