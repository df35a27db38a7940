import { resolve } from 'node:path';
import { evaluate, type Facts, type Sealed, seal, unseal } from '../../dsl/evaluate.js';
import { fromText } from '../../dsl/recipe/inputs.js';
import { folderOf } from '../../dsl/recipe/module.js';
import type { Action } from '../../dsl/recipe/types.js';
import type { LinkedTask } from '../../dsl/resolve/link.js';
import type { Value } from '../../dsl/syntax/values.js';
import { systemPath } from '../../linux/command.js';
import type { PipeMaker } from '../../linux/fifo.js';
import { runScript, type Script } from '../../linux/sandboxed_script.js';
import { shellWord } from '../../linux/shell_quote.js';
import type { Note } from '../runs/journal.js';
import type { Undoer } from '../runs/undo.js';
import type { RunFacts } from './evaluation_context.js';
import type { ByHand, World } from './kind.js';
import { policy } from './policy.js';

type RunAction = Extract<Action, { type: 'run' }>;

/** What a script gets wherever it runs inside an image: nothing of the host but how to reach the network. */
const proxies = ['http_proxy', 'https_proxy', 'no_proxy'];
/** SYSTEMD_OFFLINE: systemctl does nothing where it would ask a running systemd, and succeeds. Source: systemd, docs/ENVIRONMENT.md. */
const insideImages = { PATH: systemPath, HOME: '/root', LANG: 'C.UTF-8', SYSTEMD_OFFLINE: '1' };
const defaultShell = ['/bin/sh', '-e'];

/** The shell a task names, else the program (with at most one argument, as for the kernel) in the script's `#!` line. */
function shellFor(named: readonly string[] | undefined, text: string): readonly string[] {
  if (named !== undefined) return named;
  const [, program, argument] = /^#![ \t]*(\S+)(?:[ \t]+(.*\S))?/.exec(text) ?? [];
  return program === undefined ? defaultShell : [program, ...(argument === undefined ? [] : [argument])];
}

/** The script of a shell task, rendered. `root` is the chroot it runs in. */
export function scriptOf(task: LinkedTask, action: RunAction, facts: RunFacts, root: string | undefined): Omit<Script, 'signal' | 'onLines'> {
  const text = String(evaluate(action.script, task.module, facts) ?? '');
  return {
    ...surroundingsOf(task, facts, root),
    text,
    shell: shellFor(action.shell, text),
    keepsMounts: keepsMounts(action, root),
    timeoutMs: task.task.timeoutMs,
    interactive: action.interactive,
  };
}

/** Where a task runs, and with which environment; built-in kinds have that of the recipe. */
export function surroundingsOf(task: LinkedTask, facts: RunFacts, root: string | undefined): Pick<Script, 'env' | 'dir' | 'root' | 'privileged'> {
  const { action } = task.task;
  const own = action.type === 'run' ? action : { env: new Map<string, Value>() };
  return {
    env: environmentOf(task, own.env, facts, root !== undefined),
    dir: dirOf(task, 'dir' in own ? own.dir : undefined, facts, root !== undefined),
    root,
    privileged: isPrivileged(task, facts),
  };
}

/** Whether the chroot a task runs in lets it change the host's kernel. */
function isPrivileged({ in: chroot }: LinkedTask, facts: RunFacts): boolean {
  return chroot !== undefined && facts.output(chroot, 'privileged') === true;
}

/** A hold on the host may mount something for those that stand on it; in a chroot, mounts end with the script. */
function keepsMounts(action: RunAction, root: string | undefined): boolean {
  return action.undo?.when === 'always' && root === undefined;
}

/**
 * The declared outputs in what a script wrote to `$CHROOTFILE_OUTPUT`: lines `name=value`.
 * @throws Error for lines that are none, names that are not declared, values not of their type.
 */
export function outputsIn(text: string, action: RunAction): Record<string, unknown> {
  const outputs: Record<string, unknown> = Object.fromEntries([...action.outputs.keys()].map((name) => [name, null]));
  const guarded = holdsSecrets(action);
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    // Where a secret may be among them, no line is shown. Nor is one cut here: half a secret is not found.
    const shown = guarded ? `line ${i + 1} of it` : `"${line}"`;
    const [, name, value] = outputLine.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`$CHROOTFILE_OUTPUT takes lines name=value, not ${shown}`);
    const declared = action.outputs.get(name);
    if (declared === undefined) throw new Error(`the script gave the output "${name}", which the task does not declare in "outputs"`);
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

/** The values of secret outputs in what a script has written so far, right or wrong. */
export function secretsIn(text: string, action: RunAction): unknown[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', value = ''] = outputLine.exec(line) ?? [];
    const declared = action.outputs.get(name);
    return declared?.secret ? [value, fromText(value, declared.type)] : [];
  });
}

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

/** The note of a shell task's undo, rendered now: undo runs when the recipe may have changed. */
export function noteOfUndo(task: LinkedTask, action: RunAction, undo: Value, facts: RunFacts, root: string | undefined): ScriptNote {
  const env = [...task.module.recipe.env, ...action.env].map(([name, value]) => [name, seal(value, task.module, facts)] as const);
  return {
    script: seal(undo, task.module, facts),
    env: Object.fromEntries(env),
    shell: action.shell,
    dir: dirOf(task, action.dir, facts, root !== undefined),
    root,
    privileged: isPrivileged(task, facts),
    keepsMounts: keepsMounts(action, root),
  };
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
    async undo(note: Note, world: World) {
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
          keepsMounts: keepsMounts && !world.mountsGone,
          timeoutMs: policy.undoScriptMs,
          signal: world.signal,
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

/** Those entries of a map that have a value. */
export function definedOf(map: Readonly<Record<string, string | null | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== undefined));
}

function mapped<A, B>(map: Readonly<Record<string, A>>, by: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, by(value)]));
}

function environmentOf(task: LinkedTask, own: ReadonlyMap<string, Value>, facts: RunFacts, inside: boolean): Record<string, string> {
  const env = baseEnvironment(facts.variables, inside);
  for (const [name, value] of [...task.module.recipe.env, ...own]) {
    const text = evaluate(value, task.module, facts);
    if (typeof text === 'object' && text !== null)
      throw new Error(`"env.${name}" is a ${Array.isArray(text) ? 'list' : 'map'}; use "json"${Array.isArray(text) ? ' or "join"' : ''}`);
    if (text !== null && text !== undefined) env[name] = String(text);
  }
  return env;
}

function baseEnvironment(program: Readonly<Record<string, string | undefined>>, inside: boolean): Record<string, string> {
  const base = inside ? { ...insideImages, TERM: program['TERM'] ?? 'dumb', ...Object.fromEntries(proxies.map((name) => [name, program[name]])) } : program;
  return definedOf(base);
}

function dirOf(task: LinkedTask, named: Value | undefined, facts: Facts, inside: boolean): string {
  const dir = named === undefined ? undefined : String(evaluate(named, task.module, facts) ?? '');
  return inside ? (dir ?? '/') : resolve(folderOf(task.module), dir ?? '.');
}
