import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { globSync } from 'tinyglobby';
import { insideRoot } from './rooted_path.js';

/**
 * Hashes of the files that match the patterns, without those that match a pattern with `!`. On the host, links to
 * files and folders are followed. With `inside`, no link is followed, because it could lead out of that folder.
 */
export function hashesOfPatterns(patterns: readonly string[], folder: string, inside?: string): Record<string, string> {
  const found: Record<string, string> = {};
  const relative = (pattern: string) => pattern.replace(inside === undefined ? '' : /^\/+/, '');
  const ignore = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => relative(pattern.slice(1)));
  for (const pattern of patterns.filter((each) => !each.startsWith('!'))) {
    const links = inside === undefined ? { fs: { readdirSync: listWithLinks() } } : {};
    const files = globSync(relative(pattern), { cwd: folder, ignore, dot: true, onlyFiles: true, followSymbolicLinks: false, ...links }).sort();
    // A pattern may begin with a link in the image. Its target on the host does not belong to the image.
    const own = files.filter((file) => inside === undefined || isInside(inside, file));
    if (own.length === 0) found[pattern] = 'missing';
    for (const file of own) found[file] = hashOf(join(folder, file));
  }
  return found;
}

/**
 * Lists folders, with links replaced by their targets. A folder that several links lead to is listed only once by way
 * of a link: in folders full of links to each other, such as the node_modules of pnpm, the number of paths would be
 * unlimited.
 */
function listWithLinks(): typeof readdirSync {
  const listed = new Set<string>();
  const list = (path: string, options: { withFileTypes: true }) => {
    const real = realpathSync(path);
    if (real !== resolve(path)) {
      if (listed.has(real)) return [];
      listed.add(real);
    }
    return readdirSync(path, options).map((entry) => {
      if (!entry.isSymbolicLink()) return entry;
      const target = targetOf(join(path, entry.name));
      const is = { isFile: () => target?.isFile() === true, isDirectory: () => target?.isDirectory() === true, isSymbolicLink: () => false };
      return Object.assign(entry, is);
    });
  };
  return list as typeof readdirSync;
}

/** The target of a link; undefined when it is missing or the links form a cycle. */
function targetOf(link: string): Stats | undefined {
  try {
    return statSync(link);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function isInside(root: string, file: string): boolean {
  try {
    return insideRoot(root, file) === join(root, file);
  } catch {
    // A folder of the path is missing in the image, so the file is not inside it.
    return false;
  }
}

/** The hash of a file, and whether it is executable. */
function hashOf(path: string): string {
  return `${contentHash(path)}${(statSync(path).mode & 0o111) === 0 ? '' : ' x'}`;
}

/** The hash of the content of a file. Reads piece by piece, because the file may be a disk image. */
function contentHash(path: string): string {
  const hash = createHash('sha256');
  const fd = openSync(path, 'r');
  try {
    const piece = Buffer.allocUnsafe(1 << 20);
    for (let read = readSync(fd, piece); read > 0; read = readSync(fd, piece)) hash.update(piece.subarray(0, read));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}

/** What a file or folder is, with everything in it: types, modes, owners, links and the content of files. Times do not count. */
export function describeTree(path: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  /** The first name of each file that has several. */
  const first = new Map<string, string>();
  const visit = (at: string, name: string) => {
    const seen = lstatSync(at);
    const rights = `${(seen.mode & 0o7777).toString(8)} ${seen.uid}:${seen.gid}`;
    if (seen.isSymbolicLink()) found[name] = `link ${readlinkSync(at)}`;
    else if (seen.isDirectory()) found[name] = `folder ${rights}`;
    else if (seen.isFile()) found[name] = `file ${rights} ${contentHash(at)}${linkedTo(seen, name)}`;
    else found[name] = `node ${seen.mode} ${seen.rdev}`;
    if (seen.isDirectory()) for (const entry of readdirSync(at).sort()) visit(join(at, entry), join(name, entry));
  };
  const linkedTo = ({ nlink, dev, ino }: Stats, name: string) => {
    const other = nlink > 1 ? first.get(`${dev}:${ino}`) : undefined;
    first.set(`${dev}:${ino}`, other ?? name);
    return other === undefined ? '' : ` same as ${other}`;
  };
  visit(path, '.');
  return found;
}

/** A hash of a file or folder as tar stores it, without times: it also has extended attributes, such as file capabilities. */
export function archiveHash(path: string): string {
  const script =
    'tar --create --sort=name --format=posix --xattrs --xattrs-include="*" --mtime=@0 --pax-option=delete=atime,delete=ctime --directory "$1" -- "$2" | sha256sum';
  return (
    execFileSync('/bin/sh', ['-ec', script, 'hash', dirname(path), basename(path)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split(' ')[0] ??
    ''
  );
}
