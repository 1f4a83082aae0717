import type { Reporter, TestCase } from 'vitest/node';

/** Says why a test needed a second try, where it passed then: a flaky test is a fault, and its first error tells which. */
export default class SecondTries implements Reporter {
  onTestCaseResult(test: TestCase): void {
    if (!test.diagnostic()?.flaky) return;
    const errors = test.result().errors ?? [];
    for (const { message, stacks = [] } of errors) {
      const where = stacks.map(({ file, line }) => `${file}:${line}`).slice(0, 5);
      process.stderr.write(`second try of ${test.fullName}: ${[message, ...where].join('\n  at ')}\n`);
    }
  }
}
