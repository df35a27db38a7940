import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, fstatSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { foreignIn } from './architecture.js';
import { commandIn, mountsIn } from './chroot_entry.js';
import { cancelOn, systemProgram } from './command.js';
import type { Pipe, PipeMaker } from './fifo.js';
import { memoryFile } from './memory_file.js';
import { onTerminal } from './on_terminal.js';
import { hostPolicy } from './policy.js';

/** A script of a recipe, ready to run. */
export interface Script {
  readonly text: string;
  /** The interpreter and its arguments. The path of the script is appended. */
  readonly shell: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Working directory, on the host or inside `root`. */
  readonly dir: string;
  /** The chroot to run in; undefined for the host. */
  readonly root?: string | undefined;
  /** Whether it may change the host's kernel from inside `root`. */
  readonly privileged: boolean;
  /** Whether its mounts stay for the run. Otherwise they end with the script. */
  readonly keepsMounts: boolean;
  readonly signal: AbortSignal;
  readonly timeoutMs?: number | undefined;
  /** Whether it uses the terminal of this program. Its output is then not read. */
  readonly interactive?: boolean;
  readonly onLines: (lines: string[]) => void;
  /** Called when its output registers a secret. */
  readonly onMask?: (() => void) | undefined;
  /** Called with the content of `$CHROOTFILE_OUTPUT` before lines are processed that were printed after it was written. */
  readonly onOutput?: ((text: string) => void) | undefined;
}

/** The result of a script that succeeded. */
export interface ScriptResult {
  /** The content of `$CHROOTFILE_OUTPUT`. */
  readonly output: string;
  readonly left: LeftBehind;
}

/** What a script left behind when it ended: names of processes, and mount points. Both were removed. */
export interface LeftBehind {
  readonly processes: readonly string[];
  readonly mounts: readonly string[];
}

/** A script failed: it exited with another code than 0, or was killed. */
export class ScriptError extends Error {
  constructor(
    readonly how: string,
    readonly left: LeftBehind,
  ) {
    super(how);
    this.name = 'ScriptError';
  }
}

/**
 * PID 1 of a script's own namespace. It waits for the script, so that the script's shell is not PID 1 itself (which
 * would ignore TERM). Then it lists the processes that still run; the kernel kills them when PID 1 exits. Descriptors
 * 3, 4 and 5 of PID 1 are the script, its output file and the list of leftovers; no other process has them. Descriptor
 * 6 is the mount table for entering a chroot. In a chroot it also lists mounts. On the host it cannot, because other
 * tasks mount and unmount meanwhile.
 */
const initIn = (chroot: boolean) => `${chroot ? 'while read -r i l; do k="$k $i "; done < /proc/self/mountinfo' : ''}
( exec "$@" ) 3<&- 4>&- 5>&-
s=$?
${chroot ? namesMounts : ''}
for p in /proc/[0-9]*; do
  [ "$p" != /proc/1 ] && read -r l < "$p/stat" && case "$l" in
    *') Z '*) ;;
    *) n=\${l#*\\(}; echo "process \${n%%\\)*}" >&5;;
  esac
done 2>/dev/null
exit $s`;

/** Lists the mounts whose ids, the first field, were not there before. Source: proc(5), /proc/pid/mountinfo. */
const namesMounts = `while read -r i p d r m l; do
  case "$k" in *" $i "*) ;; *) echo "mount $m" >&5;; esac
done < /proc/self/mountinfo`;

/**
 * Runs a script in its own mount and pid namespaces. Its processes end with it, and its mounts too unless
 * `keepsMounts`.
 * @throws ScriptError when it fails. A cancelled or timed-out script has failed, whatever its exit code.
 */
export async function runScript(script: Script, pipes: PipeMaker): Promise<ScriptResult> {
  script.signal.throwIfAborted();
  const command = await commandOf(script);
  const files = memoryFiles([script.text, '', '', ...(script.root === undefined ? [] : [mountsIn({ ...script, root: script.root })])]);
  const [, output, leftover] = files as [number, number, number];
  const { onOutput } = script;
  const learn = onOutput && whenChanged(output, () => onOutput(contentsOf(output)));
  const pipe = await pipes.open({ onLines: script.onLines, learn, onMask: script.onMask }).catch((error: unknown) => {
    for (const fd of files) closeSync(fd);
    throw error;
  });
  const timeout = new AbortController();
  const signal = AbortSignal.any([script.signal, timeout.signal]);
  const timer = script.timeoutMs === undefined ? undefined : setTimeout(() => timeout.abort(), script.timeoutMs);
  try {
    const ended = await endOf(script, command, pipe, files, signal).catch((cause: Error) => cause);
    await Promise.race([pipe.drained, sleep(hostPolicy.outputAfterEndMs, undefined, { ref: false })]);
    pipe.destroy();
    // The last line of output may still arrive, and its handler reads the files.
    await pipe.drained;
    const left = leftBehind(contentsOf(leftover));
    if (timeout.signal.aborted) throw new ScriptError(`timed out after ${(script.timeoutMs ?? 0) / 1000} s`, left);
    if (script.signal.aborted) throw new ScriptError('cancelled', left);
    if (ended instanceof Error) {
      // When the folder is missing, spawn reports that the program is missing.
      const missing = script.root === undefined && !existsSync(script.dir) ? `the folder ${script.dir} does not exist` : String(ended);
      throw new ScriptError(`could not be started: ${missing}`, left);
    }
    const [code, killedBy] = ended;
    if (code !== 0) throw new ScriptError(killedBy ? `was killed by ${killedBy}` : exitText(code, script), left);
    return { output: contentsOf(output), left };
  } finally {
    clearTimeout(timer);
    pipe.destroy();
    for (const fd of files) closeSync(fd);
  }
}

/**
 * Runs a script until it ends. @returns its exit code, or the signal that killed it.
 * Does not use execa, whose work for each process takes half as long as starting one. A run may start thousands.
 */
async function endOf(
  script: Script,
  command: readonly string[],
  pipe: Pipe,
  files: readonly number[],
  signal: AbortSignal,
): Promise<[number, NodeJS.Signals | null]> {
  const place = { env: { ...script.env, CHROOTFILE_OUTPUT: '/proc/1/fd/4' }, cwd: script.root === undefined ? script.dir : '/' };
  if (script.interactive) {
    pipe.started();
    return onTerminal(command, { ...place, files, signal });
  }
  let child: ChildProcess;
  try {
    const [program = '', ...args] = command;
    child = spawn(program, args, {
      ...place,
      detached: true,
      stdio: ['ignore', pipe.writeEnd, pipe.writeEnd, ...files],
    });
  } finally {
    pipe.started();
  }
  const stop = cancelOn(signal, child.pid);
  return (once(child, 'exit') as Promise<[number, NodeJS.Signals | null]>).finally(stop);
}

function leftBehind(text: string): LeftBehind {
  const of = (what: string) => [...new Set([...text.matchAll(new RegExp(`^${what} (.*)$`, 'gm'))].map(([, name = '']) => name))];
  return { processes: of('process'), mounts: of('mount') };
}

/** Full paths, because the task may set PATH. */
const programs = { setpriv: systemProgram('setpriv') ?? 'setpriv', unshare: systemProgram('unshare') ?? 'unshare' };

async function commandOf({ shell, root, dir, privileged, keepsMounts }: Script): Promise<string[]> {
  const init = ['/bin/sh', '-c', initIn(root !== undefined), 'init', ...shell, '/proc/1/fd/3'];
  if (root !== undefined) return await commandIn({ root, dir, privileged }, 6, init);
  return [
    ...[programs.setpriv, '--pdeathsig', 'KILL', '--'],
    ...[programs.unshare, '--mount', '--propagation', keepsMounts ? 'unchanged' : 'slave', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
    ...init,
  ];
}

function exitText(code: number, { root, shell: [program = ''] }: Script): string {
  // Exit codes of env and shells when a program cannot be started or is not found. Source: POSIX, "env", EXIT STATUS.
  const foreign = root !== undefined && (code === 126 || code === 127) ? foreignIn(root, program) : undefined;
  if (foreign !== undefined) return `exit code ${code}: ${foreign}`;
  return code > 128 && code < 160 ? `exit code ${code} (signal ${code - 128})` : `exit code ${code}`;
}

function memoryFiles(texts: readonly string[]): number[] {
  const made: number[] = [];
  try {
    for (const text of texts) made.push(memoryFile(text));
    return made;
  } catch (error) {
    for (const fd of made) closeSync(fd);
    throw error;
  }
}

/** Calls a function only if the file has changed since the last time: it may be large, and a script may print a lot. */
function whenChanged(fd: number, call: () => void): () => void {
  let lastChange: string | undefined;
  return () => {
    const { size, mtimeNs } = fstatSync(fd, { bigint: true });
    if (lastChange === `${size} ${mtimeNs}`) return;
    lastChange = `${size} ${mtimeNs}`;
    call();
  };
}

function contentsOf(fd: number): string {
  const buffer = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, buffer, 0, buffer.length, 0);
  return buffer.toString('utf8');
}
