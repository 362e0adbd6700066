/** One step of long work. `say` shows what it waits for or does now. */
export interface Step {
  title: string;
  run(say: (detail: string) => void): Promise<void>;
}

/**
 * Runs steps in order: with a live list on a terminal, as plain lines elsewhere. The first error ends it and
 * is thrown.
 */
export async function runSteps(steps: readonly Step[], terminal = process.stdout.isTTY): Promise<void> {
  if (terminal) {
    const { Listr } = await import('listr2');
    const list = new Listr(
      steps.map((step) => ({
        title: step.title,
        task: (_: unknown, task: { output: string | unknown }) =>
          step.run((detail) => {
            task.output = detail;
          }),
      })),
      // Errors are reported once, by the command line.
      { rendererOptions: { showErrorMessage: false, collapseErrors: false } },
    );
    await list.run();
    return;
  }
  for (const step of steps) {
    process.stdout.write(`[nkube] ${step.title}\n`);
    await step.run((detail) => process.stdout.write(`[nkube]   ${detail}\n`));
  }
}
