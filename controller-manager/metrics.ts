import { type Controller, QueueController } from './common/context.ts';

export interface RunningController {
  name: string;
  controller: Controller;
}

/** What a scrape of `/metrics` answers: Prometheus' text format, with Kubernetes' metric names where it has one. */
export function metricsText(state: {
  running: readonly RunningController[];
  leading: boolean;
  lease: string;
}): string {
  const cpu = process.cpuUsage();
  const lines = [
    '# HELP leader_election_master_status 1 if this process leads.',
    '# TYPE leader_election_master_status gauge',
    `leader_election_master_status{name="${state.lease}"} ${state.leading ? 1 : 0}`,
    '# HELP workqueue_depth Keys that wait to be worked on.',
    '# TYPE workqueue_depth gauge',
    ...state.running.flatMap(({ name, controller }) =>
      controller instanceof QueueController
        ? [`workqueue_depth{name="${name}"} ${controller.queue.length}`]
        : [],
    ),
    '# HELP process_resident_memory_bytes Resident memory.',
    '# TYPE process_resident_memory_bytes gauge',
    `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
    '# HELP process_cpu_seconds_total User and system time.',
    '# TYPE process_cpu_seconds_total counter',
    `process_cpu_seconds_total ${(cpu.user + cpu.system) / 1e6}`,
  ];
  return `${lines.join('\n')}\n`;
}
