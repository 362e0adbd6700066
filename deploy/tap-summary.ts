export interface Counts {
  passed: number;
  failed: number;
}

export const addCounts = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
});

/** Reads TAP as the runner prints it, line by line. https://testanything.org/tap-version-14-specification.html */
export interface TapSummary {
  read(line: string): void;
  /** Whether the line just read tells of a failure: an assertion that failed or the diagnosis under it. */
  readonly inFailure: boolean;
  /** The result, once all is read. A runner that fails without a failed test counts as one failure. */
  counts(exitCode: number): Counts;
}

export function summaryOf(): TapSummary {
  let total: Counts | undefined;
  /** Indentation of the failed assertion whose diagnosis may follow. */
  let indent: number | undefined;
  let inDiagnosis = false;
  let inFailure = false;
  return {
    read(line) {
      const closing = /^# \{ (.*) \}$/.exec(line);
      if (closing) {
        const field = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(closing[1]!)?.[1] ?? 0);
        total = { passed: field('pass'), failed: field('fail') };
      }
      const depth = line.length - line.trimStart().length;
      if (/^\s*not ok \d/.test(line)) {
        indent = depth;
        inDiagnosis = false;
        inFailure = true;
      } else if (indent !== undefined && line.trim() === '---' && depth === indent + 2) {
        inDiagnosis = true;
        inFailure = true;
      } else {
        inFailure = inDiagnosis;
        if (inDiagnosis && line.trim() === '...' && depth === indent! + 2) inDiagnosis = false;
        if (!inDiagnosis) indent = undefined;
      }
    },
    get inFailure() {
      return inFailure;
    },
    counts(exitCode) {
      const result = total ?? { passed: 0, failed: 0 };
      return exitCode !== 0 && result.failed === 0 ? { ...result, failed: 1 } : result;
    },
  };
}
