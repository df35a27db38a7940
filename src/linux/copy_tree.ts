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
  /** Mode of files; that of each source by default. */
  readonly fileMode?: number;
  /** Owner of everything, or `keep` for that of each source; that of this process by default. */
  readonly owner?: { readonly user: number; readonly group: number } | 'keep';
  /** Whether what gives somebody rights comes along: set-user-id, set-group-id, file capabilities, access control lists. */
  readonly rights: boolean;
  readonly signal: AbortSignal;
  warn(message: string): void;
}

/** What is copied: a name in a folder. The folder may be an open one, `/proc/self/fd/N`. */
export interface CopySource {
  readonly folder: string;
  readonly name: string;
  /** Its path for messages. */
  readonly shown: string;
}

/** Where to: a name in a folder, given by its path inside the only folder of the host that is written to. */
export interface CopyTarget {
  readonly within: string;
  readonly folder: string;
  readonly name: string;
}

/**
 * Copies a file, a link or a folder with all in it: contents with their holes, modes, times, extended attributes,
 * hard links among what is copied; names are bytes. What is at the target is replaced and never written through; a
 * folder that is there already is filled, and stays what it is.
 *
 * Safe from processes that swap files, folders and links on either side meanwhile. Reading: tar opens each file
 * below the open folder that it is in and follows no link, and what is no file when it is opened is refused here.
 * Writing: no program of the host that keeps attributes can be told to follow no link, so it follows them where they
 * lead nowhere: its root is the host's, read-only, in which the target alone can be written.
 * @throws Error for devices and named pipes, and where something cannot be read or written.
 */
export async function copyTree(from: CopySource, to: CopyTarget, options: CopyOptions): Promise<void> {
  options.signal.throwIfAborted();
  const source = lstatSync(join(from.folder, from.name));
  const refuse = (path: string) => new Error(`${path} is neither a file, a link nor a folder`);
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
  // Where it breaks, both ends notice, and say why.
  const broken = await pipeline(reader.pipe as Readable, headers, writer.pipe as Writable).catch((error: Error) => error);
  const [read, written] = await Promise.all([reader.ended, writer.ended]);
  options.signal.throwIfAborted();
  if (refused !== undefined) throw refused;
  // 1: a file changed while it was read. Source: tar(1), "RETURN VALUE".
  if (![0, 1].includes(read.code) && read.said !== '') throw new CommandError(['tar', '--create'], read.code, read.said);
  if (written.code !== 0) throw new CommandError(['tar', '--extract'], written.code, written.said);
  if (broken instanceof Error) throw broken;
  // Without a word where a signal ended it: what came until then may be whole for who writes it.
  if (![0, 1].includes(read.code))
    throw new CommandError(['tar', '--create'], read.code < 0 ? undefined : read.code, '', read.code < 0 ? 'was ended by a signal' : undefined);
  for (const line of [read, written].flatMap(({ said }) => said.split('\n'))) if (line !== '') options.warn(line.replace(/^tar: /, ''));
}

function modeOf({ type, mode }: Header, { fileMode, rights }: CopyOptions): number {
  const isFile = type === '0' || type === '7';
  return isFile && fileMode !== undefined ? fileMode : mode & (rights ? 0o7777 : 0o1777);
}

function readerOf({ name }: CopySource, to: CopyTarget, { owner, rights }: CopyOptions): string[] {
  return [
    ...['tar', '--create', '--format=posix', ...common, '--sparse'],
    // A label of SELinux is that of a place: in another one it gets its own.
    ...(rights ? ['--xattrs-include=*', '--xattrs-exclude=security.selinux'] : ['--xattrs-include=user.*']),
    ...(typeof owner === 'object' ? [`--owner=:${owner.user}`, `--group=:${owner.group}`] : []),
    // The first part of each name, and of those that hard links lead to; not what symbolic links say.
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

/** Every host has both folders: the kernel's are mounted on one, so that the host's own file system has the other. */
const [confined, place] = ['/sys', '/sys'];

/** Runs a command whose root is the host's, read-only and without devices, and `place` in it the folder. */
const confine = `within=$1
mount -o bind,ro,nodev / ${confined}
shift
while [ "$1" != -- ]; do mount -o bind,ro,nodev -- "$1" "${confined}$1"; shift; done
shift
mount --rbind -- "$within" ${confined}${place}
exec chroot ${confined} "$@"`;

/** Where the file systems are mounted that a program of the host is on, but for the root. */
function mountsOf(program: string): string[] {
  const path = realpathSync(systemProgram(program) ?? '/');
  return mounts()
    .map((mount) => mount.path)
    .filter((at) => at !== '/' && path.startsWith(`${at}/`));
}

interface End {
  /** -1 where it could not be started, or was ended by a signal. */
  readonly code: number;
  /** What it wrote to standard error. */
  readonly said: string;
}

/** Starts a program, with one end of a pipe. */
function start(
  command: readonly string[],
  cwd: string,
  end: 'stdin' | 'stdout',
  signal: AbortSignal,
): { pipe: Readable | Writable | null; ended: Promise<End> } {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
    cwd,
    detached: true,
    // Names are bytes.
    env: { PATH: systemPath, LC_ALL: 'C' },
    stdio: [end === 'stdin' ? 'pipe' : 'ignore', end === 'stdout' ? 'pipe' : 'ignore', 'pipe'],
  });
  const stop = cancelOn(signal, child.pid);
  let said = '';
  child.stderr?.on('data', (text) => {
    said = `${said}${text}`.slice(-mostSaid);
  });
  const ended = once(child, 'close').then(
    ([code]: (number | null)[]) => ({ code: code ?? -1, said }),
    (error: Error) => ({ code: -1, said: error.message }),
  );
  return { pipe: child[end], ended: ended.finally(stop) };
}

const mostSaid = 65_536;
