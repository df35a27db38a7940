/** Exit codes. Also in the README and in `chrootfile --help`. */
export const exits = { done: 0, failed: 1, invalid: 2, host: 3, locked: 4, left: 5, outputs: 6, timeout: 124 } as const;

/** Ends the program with a message on standard error and an exit code. */
export class ExitError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
    this.name = 'ExitError';
  }
}
