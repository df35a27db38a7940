import { commandToType } from '../runtime/runs/command_to_type.js';
import { ExitError, exits } from './exit_codes.js';
import type { DiagnosticFormat } from './reports/diagnostics.js';
import { statePath } from './state.js';
import { printError } from './terminal/output.js';

/**
 * Prints why the program ends, and returns the exit code.
 * @param words the command line, without the words after `--`.
 */
export async function reportFailure(error: unknown, version: string, words: readonly string[]): Promise<number> {
  if (error instanceof ExitError) {
    printError(`error: ${error.message}`);
    return error.code;
  }
  if (error instanceof Error && error.name === 'RecipeError') {
    const { printDiagnostics } = await import('./reports/diagnostics.js');
    printDiagnostics((error as Error & { diagnostics: [] }).diagnostics, formatFor(words));
    return exits.invalid;
  }
  if (isOurs(error)) {
    const { readableStack } = await import('./terminal/readable_stack.js');
    printError(
      `error: ${readableStack(error)}`,
      `  help: this is a bug in chrootfile (${version}, Node ${process.version}, ${process.platform} ${process.arch}).`,
      '        Please report it with these lines, the command and, if possible, the recipe. If a run ended this way,',
      `        "${undoFor(words)}" cleans up after it.`,
    );
    return exits.failed;
  }
  const failure = error as NodeJS.ErrnoException;
  const help = failure.name === 'JournalError' ? `\n  help: "${undoFor(words)}" keeps the file and finds the resources of the run by their tags` : '';
  printError(`error: ${failure.message}${help}`);
  if (failure.name === 'LockedError') return exits.locked;
  const ofHost = ['JournalError', 'FormatError'].includes(failure.name) || /^E[A-Z]+$/.test(failure.code ?? '');
  return ofHost ? exits.host : exits.failed;
}

function undoFor(words: readonly string[]): string {
  const at = words.findIndex((word) => /^--state(=|$)/.test(word));
  const state = at < 0 ? undefined : words[at]?.slice('--state='.length) || words[at + 1];
  return commandToType(statePath(state), 'undo --all');
}

/** With JSON output, diagnostics are JSON too. */
function formatFor([verb = '', ...words]: readonly string[]): DiagnosticFormat {
  if (words.includes('--json')) return 'json';
  return verb === 'run' && / --format[ =]json/.test(` ${words.join(' ')}`) ? 'event' : 'text';
}

/** Errors that this program never throws on purpose. Expected failures are plain `Error`s with a message for the user. */
function isOurs(error: unknown): boolean {
  if (!(error instanceof Error)) return true;
  return [TypeError, RangeError, ReferenceError, SyntaxError, EvalError].some((type) => error instanceof type) || /^internal error/.test(error.message);
}
