import { setTimeout as sleep } from 'node:timers/promises';

// Whoever runs the tests may have an account: no test may reach it.
for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
// The SDK warns of Node versions it will no longer support.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
// uvu starts by itself unless it is told that somebody else will.
(globalThis as { UVU_DEFER?: number }).UVU_DEFER = 1;
const { suite: uvuSuite, exec } = await import('uvu');
const queue = globalThis as unknown as { UVU_QUEUE: unknown[][]; UVU_INDEX: number };
queue.UVU_QUEUE = [[null]];
queue.UVU_INDEX = 0;

/** Counts of all tests of this process. */
export const counts = { passed: 0, failed: 0, skipped: 0 };

let wanted: string | undefined;

/** Leaves out, of the suites declared from now on, the tests without this text in `suite: name`. */
export function narrowTo(text: string | undefined): void {
  wanted = text;
}

/** Only what hangs takes this many times as long as on an idle machine. */
const patience = 10;

/** Declares one test. `limitMs`: the longest that it may take on an idle machine. */
export type Test = (name: string, body: () => void | Promise<void>, limitMs?: number) => void;

/**
 * Declares a suite of tests and runs it. A thin coat over uvu, which by itself exits 0 when `.run()` was forgotten,
 * when a hook throws, and with a left-in `.only`: here there are no hooks, no `only`, and no `run` to forget.
 * @param skip why the suite cannot run here; its tests count as skipped.
 */
export function suite(name: string, declare: (test: Test) => void, skip?: string): void {
  const inner = uvuSuite(name);
  declare((title, body, limitMs = 120_000) => {
    if (wanted !== undefined && !`${name}: ${title}`.includes(wanted)) return;
    if (skip !== undefined) {
      counts.skipped += 1;
      console.log(`skipped: ${name}: ${title}: ${skip}`);
      return;
    }
    inner(title, async () => {
      const timer = new AbortController();
      try {
        const late = sleep(limitMs * patience, undefined, { signal: timer.signal }).then(() => {
          throw new Error(`took longer than ${(limitMs * patience) / 1000} s`);
        });
        late.catch(() => {});
        await Promise.race([body(), late]);
        counts.passed += 1;
      } catch (error) {
        counts.failed += 1;
        if (error instanceof Error) throw error;
        throw new Error(String(error));
      } finally {
        timer.abort();
      }
    });
  });
  inner.run();
}

/** Runs all declared suites, and something that fails where they left anything behind; prints the closing line. */
export async function runSuites(checkLeft: () => Promise<void>): Promise<void> {
  await exec(false);
  try {
    await checkLeft();
  } catch (error) {
    counts.failed += 1;
    console.log(`   FAIL  ${(error as Error).message}`);
  }
  console.log(closingLine(counts));
}

/** What the last line of a file's tests, and of all tests, says. */
export function closingLine({ passed, failed, skipped }: typeof counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
