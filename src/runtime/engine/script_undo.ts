import { type Sealed, unseal } from '../../dsl/evaluate.js';
import type { PipeMaker } from '../../linux/fifo.js';
import { runScript } from '../../linux/sandboxed_script.js';
import { shellWord } from '../../linux/shell_quote.js';
import type { Note } from '../runs/journal.js';
import type { Undoer } from '../runs/undo.js';
import type { ByHand, HostContext } from './kind.js';
import { policy } from './policy.js';
import { baseEnvironment, definedOf, shellFor } from './script_environment.js';

/** What the undo of a user's script needs, fit to be written to disk. */
export interface ScriptNote {
  readonly script: Sealed;
  readonly env: Readonly<Record<string, Sealed>>;
  readonly shell?: readonly string[] | undefined;
  readonly dir: string;
  readonly root?: string | undefined;
  /** Absent in notes of before it could be false. */
  readonly privileged?: boolean;
  /** Whether its mounts are the run's, and not the script's alone. */
  readonly keepsMounts: boolean;
}

/** An undo script of a run that goes on, secrets and all. */
export interface RenderedUndo {
  readonly text: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Undoes what users' scripts did, by their own scripts.
 * @param rendered the scripts as rendered, where the run itself undoes them.
 * @param secret gives the value of a secret input.
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
          // What the run had mounted went with it: what is mounted there now is somebody else's.
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
      // The image is not mounted any more, and goes with its volume.
      if (root !== undefined && mountsGone && mounts.some((path) => root === path || root.startsWith(`${path}/`))) return [];
      const text = unseal({ ...script, lost: [] }, (input) => `<${input}>`) ?? '';
      return [...(root === undefined ? [] : [`chroot ${shellWord(root)}`]), `cd ${shellWord(dir)}`, ...text.trimEnd().split('\n')];
    },
  };
}

function mapped<A, B>(map: Readonly<Record<string, A>>, by: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, by(value)]));
}
