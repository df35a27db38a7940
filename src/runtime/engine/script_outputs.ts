import { fromText } from '../../dsl/recipe/inputs.js';
import type { RunAction } from '../../dsl/recipe/types.js';

/**
 * Parses the `name=value` lines that a script wrote to `$CHROOTFILE_OUTPUT`.
 * @throws Error for malformed lines, undeclared names, and values of the wrong type.
 */
export function outputsIn(text: string, action: RunAction): Record<string, unknown> {
  const outputs: Record<string, unknown> = Object.fromEntries([...action.outputs.keys()].map((name) => [name, null]));
  const guarded = holdsSecrets(action);
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    // If an output is secret, show no line. Nor can a line be cut here: half a secret would not be recognized and
    // hidden.
    const shown = guarded ? `line ${i + 1} of it` : `"${line}"`;
    const [, name, value] = outputLine.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`$CHROOTFILE_OUTPUT expects name=value lines, not ${shown}`);
    const declared = action.outputs.get(name);
    if (declared === undefined) throw new Error(`the script wrote the output "${name}", which the task does not declare in "outputs"`);
    const typed = fromText(value, declared.type);
    if (typed === undefined) throw new Error(`output "${name}" is not of type ${declared.type}: ${shown}`);
    outputs[name] = typed;
  }
  return outputs;
}

const outputLine = /^([a-z][a-z0-9_]*)=(.*)$/;

/** Whether an output of a task is secret. */
export function holdsSecrets(action: RunAction): boolean {
  return [...action.outputs.values()].some(({ secret }) => secret);
}

/** The values of secret outputs that a script has written so far, valid or not. */
export function secretsIn(text: string, action: RunAction): unknown[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', value = ''] = outputLine.exec(line) ?? [];
    const declared = action.outputs.get(name);
    return declared?.secret ? [value, fromText(value, declared.type)] : [];
  });
}
