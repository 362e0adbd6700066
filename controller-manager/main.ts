import { runComponent } from '../client/component.ts';
import { flags } from './flags.ts';
import { runControllerManager } from './run.ts';

await runComponent({ name: 'kube-controller-manager', flags, start: runControllerManager });
