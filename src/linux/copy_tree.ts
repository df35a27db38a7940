import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CommandError, cancelOn, systemPath, systemProgram } from './command.js';
import { mounts } from './mounts.js';
import { type Header, TarHeaders } from './tar_headers.js';

/** Programs of the host that copying needs, with their Debian packages. */
export const copyTools = { tar: 'tar', unshare: 'util-linux', mount: 'mount', chroot: 'coreutils' } as const;

export interface CopyOptions {
  /** Mode of files; defaults to the mode of each source. */
  readonly fileMode?: number;
  /** Owner of everything, or `keep` to keep each source's owner. Defaults to the owner of this process. */
  readonly owner?: { readonly user: number; readonly group: number } | 'keep';
  /** Whether to copy attributes that grant rights: set-user-id, set-group-id, file capabilities, access control lists. */
  readonly rights: boolean;
  readonly signal: AbortSignal;
  warn(message: string): void;
}

/** What to copy: a name in a folder. The folder may be an open one, `/proc/self/fd/N`. */
export interface CopySource {
  readonly folder: string;
  readonly name: string;
  /** Its path in messages. */
  readonly shown: string;
}

/** Where to copy to: a name in a folder. The folder is given by its path inside the only host folder that may be written to. */
export interface CopyTarget {
  readonly within: string;
  readonly folder: string;
  readonly name: string;
}

/**
 * Copies a file, link or folder with its contents. Keeps holes, modes, times, extended attributes, hard links among
 * the copied files, and names as bytes. An existing target is replaced and never written through. An existing folder
 * is kept, with its attributes, and filled.
 *
 * Safe against processes that swap files, folders and links on either side meanwhile. Reading: tar opens each file
 * relative to its open folder and follows no link. Anything that is not a file when it is opened is refused here.
 * Writing: no program of the host that preserves attributes can be told to follow no links. So its root is a read-only
 * copy of the host's, in which only the target is writable: links lead nowhere else.
 * @throws Error for devices and named pipes, and when something cannot be read or written.
 */
export async function copyTree(from: CopySource, to: CopyTarget, options: CopyOptions): Promise<void> {
  options.signal.throwIfAborted();
  const source = lstatSync(join(from.folder, from.name));
  const refuse = (path: string) => new Error(`${path} is not a file, link or folder`);
  if (!source.isFile() && !source.isSymbolicLink() && !source.isDirectory()) throw refuse(from.shown);
  const target = join(to.within, to.folder, to.name);
  if (!source.isDirectory() && lstatSync(target, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${target} is a folder, but ${from.shown} is not`);
  const reader = start(readerOf(from, to, options), from.folder, 'stdout', options.signal);
  const writer = start(writerOf(to, options), '/', 'stdin', options.signal);
  let refused: Error | undefined;
  const headers = new TarHeaders((header) => {
    if ('346'.includes(header.type)) refused = refuse(join(from.shown, ...header.name.split('/').slice(1)));
    if (refused !== undefined) throw refused;
    return modeOf(header, options);
  });
  // If the pipe breaks, both programs notice and report why.
  const broken = await pipeline(reader.pipe as Readable, headers, writer.pipe as Writable).catch((error: Error) => error);
  const [read, written] = await Promise.all([reader.ended, writer.ended]);
  options.signal.throwIfAborted();
  if (refused !== undefined) throw refused;
  // 1: a file changed while it was read. Source: tar(1), "RETURN VALUE".
  if (![0, 1].includes(read.code) && read.stderr !== '') throw new CommandError(['tar', '--create'], read.code, read.stderr);
  if (written.code !== 0) throw new CommandError(['tar', '--extract'], written.code, written.stderr);
  if (broken instanceof Error) throw broken;
  // No message when the reader was killed by a signal: to the writer, the archive may look complete.
  if (![0, 1].includes(read.code))
    throw new CommandError(['tar', '--create'], read.code < 0 ? undefined : read.code, '', read.code < 0 ? 'was killed by a signal' : undefined);
  for (const line of [read, written].flatMap(({ stderr }) => stderr.split('\n'))) if (line !== '') options.warn(line.replace(/^tar: /, ''));
}

function modeOf({ type, mode }: Header, { fileMode, rights }: CopyOptions): number {
  const isFile = type === '0' || type === '7';
  return isFile && fileMode !== undefined ? fileMode : mode & (rights ? 0o7777 : 0o1777);
}

function readerOf({ name }: CopySource, to: CopyTarget, { owner, rights }: CopyOptions): string[] {
  return [
    ...['tar', '--create', '--format=posix', ...common, '--sparse'],
    // An SELinux label depends on the path, so a copy gets the label of its own path.
    ...(rights ? ['--xattrs-include=*', '--xattrs-exclude=security.selinux'] : ['--xattrs-include=user.*']),
    ...(typeof owner === 'object' ? [`--owner=:${owner.user}`, `--group=:${owner.group}`] : []),
    // Replaces the first part of names and hard link targets, but not of symbolic link targets.
    ...['--transform', `s|^[^/]*|${to.name.replace(/[\\&|]/g, '\\$&').replaceAll('\n', '\\n')}|rhS`, '--no-unquote', '--', name],
  ];
}

function writerOf({ within, folder }: CopyTarget, { owner }: CopyOptions): string[] {
  const unpack = ['tar', '--extract', ...common, '--xattrs-include=*', '--preserve-permissions', '--no-overwrite-dir', '--warning=no-timestamp'];
  return [
    ...['unshare', '--mount', '--propagation', 'slave', '--', '/bin/sh', '-ec', confine, 'confine', within, ...mountsOf('tar'), '--'],
    ...[...unpack, owner === undefined ? '--no-same-owner' : '--same-owner', '--directory', `${place}/${folder}`],
  ];
}

const common = ['--file=-', '--blocking-factor=128', '--numeric-owner', '--xattrs'];

/** Folders that exist on every host. Kernel file systems are mounted there, so nothing of the host's own file system is hidden. */
const [confined, place] = ['/sys', '/sys'];

/** Runs a command whose root is a read-only copy of the host's root without devices, in which the target folder is mounted at `place`. */
const confine = `within=$1
mount -o bind,ro,nodev / ${confined}
shift
while [ "$1" != -- ]; do mount -o bind,ro,nodev -- "$1" "${confined}$1"; shift; done
shift
mount --rbind -- "$within" ${confined}${place}
exec chroot ${confined} "$@"`;

/** The mount points, except the root, of the file systems that contain a program of the host. */
function mountsOf(program: string): string[] {
  const path = realpathSync(systemProgram(program) ?? '/');
  return mounts()
    .map((mount) => mount.path)
    .filter((at) => at !== '/' && path.startsWith(`${at}/`));
}

interface End {
  /** -1 when it could not be started or was killed by a signal. */
  readonly code: number;
  /** Its standard error. */
  readonly stderr: string;
}

/** Starts a program with one end of a pipe. */
function start(
  command: readonly string[],
  cwd: string,
  end: 'stdin' | 'stdout',
  signal: AbortSignal,
): { pipe: Readable | Writable | null; ended: Promise<End> } {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
    cwd,
    detached: true,
    // File names are bytes.
    env: { PATH: systemPath, LC_ALL: 'C' },
    stdio: [end === 'stdin' ? 'pipe' : 'ignore', end === 'stdout' ? 'pipe' : 'ignore', 'pipe'],
  });
  const stop = cancelOn(signal, child.pid);
  let stderr = '';
  child.stderr?.on('data', (text) => {
    stderr = `${stderr}${text}`.slice(-maxStderrChars);
  });
  const ended = once(child, 'close').then(
    ([code]: (number | null)[]) => ({ code: code ?? -1, stderr }),
    (error: Error) => ({ code: -1, stderr: error.message }),
  );
  return { pipe: child[end], ended: ended.finally(stop) };
}

const maxStderrChars = 65_536;
