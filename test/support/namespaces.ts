import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { repository } from './program.js';

/** The environment variable that says to a suite which folder it has, so that it is not started again. */
const given = 'CHROOTFILE_SUITE_FOLDER';

/** Whether mount and pid namespaces can be made: else a suite has only a folder of its own. */
export const inNamespaces = process.getuid?.() === 0;

/** Makes the folder that this suite was given the one for temporary files; false when it has none yet. */
export function enterSuite(): boolean {
  const folder = process.env[given];
  if (folder === undefined) return false;
  // Not earlier: tsx keeps what it compiled in the host's.
  process.env['TMPDIR'] = folder;
  // A program started without a state of its own would leave it to all of the host.
  process.env['CHROOTFILE_STATE'] = join(folder, 'state');
  delete process.env[given];
  if (inNamespaces) releaseDisks();
  return true;
}

/** How to start a program in a suite of its own. */
export interface SuiteOptions {
  /** Gets what it prints. */
  readonly print: (chunk: Buffer) => void;
  /** Ends it, and all that it has started. */
  readonly signal: AbortSignal;
  /** Removes what is left of its folder outside of the namespaces. */
  readonly cleanUp: (folder: string) => void;
}

/**
 * Starts this program again with other arguments, with a folder for its temporary files and with namespaces of its
 * own: what it mounts and starts is nobody else's, and ends with it.
 * @returns its exit code; undefined when it was killed.
 */
export async function startInSuite(args: readonly string[], { print, signal, cleanUp }: SuiteOptions): Promise<number | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'chrootfile-suite-'));
  // As /tmp is: some tests become another user.
  chmodSync(folder, 0o1777);
  const links = join('/dev/disk', basename(folder));
  if (inNamespaces) mkdirSync(links, { recursive: true });
  const again = [process.execPath, ...process.execArgv, process.argv[1] ?? '', ...args];
  const [command = '', ...more] = inNamespaces ? [...unshare, ...again] : again;
  const child = spawn(command, more, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, [given]: folder } });
  child.stdout.on('data', print);
  child.stderr.on('data', print);
  // unshare takes the first process of the namespace along, and that all others.
  const kill = () => child.kill('SIGKILL');
  signal.addEventListener('abort', kill);
  try {
    return await new Promise<number | undefined>((done, fail) => {
      child.on('error', fail);
      child.on('close', (code) => done(code ?? undefined));
    });
  } finally {
    signal.removeEventListener('abort', kill);
    cleanUp(folder);
    rmSync(folder, { recursive: true, force: true });
    if (inNamespaces) removeLinkFolder(links);
  }
}

/** While it is there nobody removes /dev/disk, on which suites mount: runs do that when it is empty. */
function removeLinkFolder(path: string): void {
  rmdirSync(path);
  try {
    rmdirSync(dirname(path));
  } catch (error) {
    // Another suite has one, udev its links, or it is mounted: these are tests of a test.
    if (!['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes(String((error as NodeJS.ErrnoException).code))) throw error;
  }
}

/**
 * A slave of the host's mounts, so that what others unmount is not kept here. Links to disks are its own: every run
 * removes those that lead nowhere. Shared in itself, as most hosts' root is. The shell stays: the first process of a
 * pid namespace reaps what loses its parent, which Node does not.
 */
const unshare = [
  ...['setpriv', '--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'slave', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
  ...['sh', '-c', 'mount -t tmpfs -o mode=1777 shm /dev/shm && mount -t tmpfs disk /dev/disk && mount --make-rshared / || exit; "$@"; exit $?', 'suite'],
];

/** Unmounts, in this namespace, the disks of others: where the host's root is private, they could not detach them. */
function releaseDisks(): void {
  const paths = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [path = ''] = line.split(' ').slice(4);
      const isNeeded = [repository, process.execPath].some((file) => `${file}/`.startsWith(path.replace(/\/?$/, '/')));
      return / - \S+ \/dev\/loop/.test(line) && !isNeeded ? [path.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))] : [];
    });
  for (const path of paths.reverse()) execFileSync('umount', ['--lazy', path]);
}
