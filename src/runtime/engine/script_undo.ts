import { type Sealed, unseal } from '../../dsl/evaluate.js';
import { shellFor } from '../../dsl/recipe/script_shell.js';
import type { PipeMaker } from '../../linux/fifo.js';
import { runScript } from '../../linux/sandboxed_script.js';
import { shellWord } from '../../linux/shell_quote.js';
import type { Note } from '../runs/journal.js';
import type { Undoer } from '../runs/undo.js';
import type { ByHand, HostContext } from './kind.js';
import { policy } from './policy.js';
import { baseEnvironment, definedOf } from './script_environment.js';

/** What the undo of a user's script needs, in the form that is written to disk. */
export interface ScriptNote {
  readonly script: Sealed;
  readonly env: Readonly<Record<string, Sealed>>;
  readonly shell?: readonly string[] | undefined;
  readonly dir: string;
  readonly root?: string | undefined;
  /** Absent in notes of versions in which it could not be false. */
  readonly privileged?: boolean;
  /** Whether its mounts belong to the run and not only to the script. */
  readonly keepsMounts: boolean;
}

/** The undo script of a run in progress, with its secrets. */
export interface RenderedUndo {
  readonly text: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Undoes the changes of users' scripts by running their undo scripts.
 * @param rendered the rendered scripts, when the run itself undoes them.
 * @param secret returns the value of a secret input.
 */
export function scriptUndoer(
  rendered: ReadonlyMap<number, RenderedUndo>,
  pipes: PipeMaker,
  secret: (input: string) => string | undefined,
  program: Readonly<Record<string, string | undefined>>,
  onLines: (task: string, lines: string[]) => void,
): Undoer {
  return {
    async undo(note: Note, host: HostContext) {
      const { script, env, shell, dir, root, privileged = true, keepsMounts } = note.data as ScriptNote;
      const known = rendered.get(note.id) ?? {
        text: unseal(script, secret) ?? '',
        env: { ...baseEnvironment(program, root !== undefined), ...definedOf(mapped(env, (sealed) => unseal(sealed, secret))) },
      };
      await runScript(
        {
          ...known,
          shell: shellFor(shell, known.text),
          dir,
          root,
          privileged,
          // The run's mounts ended with it. Anything mounted there now belongs to somebody else.
          keepsMounts: keepsMounts && !host.mountsGone,
          timeoutMs: policy.undoScriptMs,
          signal: host.signal,
          onLines: (lines) => onLines(note.task, lines),
        },
        pipes,
      );
    },
    byHand(note: Note, { mountsGone, mounts }: ByHand) {
      const { script, dir, root } = note.data as ScriptNote;
      // The image is no longer mounted; it is deleted with its volume.
      if (root !== undefined && mountsGone && mounts.some((path) => root === path || root.startsWith(`${path}/`))) return [];
      const text = unseal({ ...script, lost: [] }, (input) => `<${input}>`) ?? '';
      return [...(root === undefined ? [] : [`chroot ${shellWord(root)}`]), `cd ${shellWord(dir)}`, ...text.trimEnd().split('\n')];
    },
  };
}

function mapped<A, B>(map: Readonly<Record<string, A>>, by: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, by(value)]));
}
