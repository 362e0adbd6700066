import { mkdir } from 'node:fs/promises';
import type { FlagValues } from '../api/flags.ts';
import type { ComponentContext } from '../client/component.ts';
import { serveHealth } from '../client/serving.ts';
import type { flags } from './flags.ts';
import { buildParts } from './parts.ts';
import { serveKubelet } from './server/kubelet-server.ts';
import { createReports } from './server/reports.ts';
import { readSettings } from './settings.ts';

/** Milliseconds between looks whether images fill the disk. */
const imageCollectionEvery = 300_000;

/** Runs the kubelet until the context's signal aborts; pods go on without it. */
export async function runKubelet(values: FlagValues<typeof flags>, context: ComponentContext): Promise<void> {
  const { log, signal } = context;
  const settings = readSettings(values);
  const { nodeName, nodeIP } = settings;
  const rootDirectory = values['root-dir'];
  await mkdir(rootDirectory, { recursive: true, mode: 0o750 });
  const parts = await buildParts(values, settings, log);
  const { client, runtime, events, objects, collector, manager, agent, keeper, informers } = parts;
  const health =
    values['healthz-port'] > 0
      ? await serveHealth({ host: values['healthz-bind-address'], port: values['healthz-port'] })
      : undefined;
  const server = settings.tls
    ? await serveKubelet({
        lookup: manager,
        runtime,
        log,
        address: values.address,
        port: values.port,
        tls: settings.tls,
        reports: createReports({ lookup: manager, runtime, nodeName, rootDirectory, startedAt: Date.now() }),
      })
    : undefined;
  informers.pods.start(signal);
  informers.nodes.start(signal);
  informers.services.start(signal);
  await agent.start(signal);
  await informers.nodes.synced;
  await keeper.start(signal);
  await whileUnavailable(() => manager.start(signal), context);
  const node = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName };
  events.event(node, 'Normal', 'Starting', 'Starting kubelet.');
  const collectImages = async () => {
    try {
      const { removed, problem } = await collector.collect();
      if (removed.length) log.info({ removed }, 'images removed, the disk was filling up');
      if (problem) events.event(node, 'Warning', 'FreeDiskSpaceFailed', problem);
    } catch (error) {
      log.warn({ err: (error as Error).message }, 'image garbage collection failed');
    }
  };
  const collection = setInterval(() => void collectImages(), imageCollectionEvery);
  log.info({ node: nodeName, address: nodeIP }, 'kubelet started');
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  clearInterval(collection);
  await manager.stop();
  objects.close();
  server?.close();
  health?.close();
  client.close();
}

/** Tries again every second while the container engine does not answer. */
async function whileUnavailable(
  start: () => Promise<void>,
  { log, signal }: ComponentContext,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await start();
      return;
    } catch (error) {
      log.warn({ err: (error as Error).message }, 'container runtime not ready, trying again');
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}
