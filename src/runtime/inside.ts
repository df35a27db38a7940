import { lstatSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

// As many as the kernel follows. Source: path_resolution(7).
const mostLinks = 40;

/**
 * The host's path of a path inside an image, every link on the way followed within the image: no link leads out,
 * and no part of the result is a link. The last part need not exist.
 * @param last whether a link at the very end is followed, or is itself what is meant.
 * @throws Error when a part on the way is missing or no folder, and for circles of links.
 */
export function insideRoot(root: string, path: string, last: 'follow' | 'keep' = 'follow'): string {
  const waiting = partsOf(path);
  const done: string[] = [];
  for (let links = 0, part = waiting.shift(); part !== undefined; part = waiting.shift()) {
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = join(root, ...done, part);
    const seen = lstatSync(here, { throwIfNoEntry: false });
    if (seen?.isSymbolicLink() && (waiting.length > 0 || last === 'follow')) {
      links += 1;
      if (links > mostLinks) throw new Error(`${path}: too many links, one after the other`);
      const target = readlinkSync(here);
      if (target.startsWith('/')) done.length = 0;
      waiting.unshift(...partsOf(target));
      continue;
    }
    if (waiting.length > 0 && !seen?.isDirectory())
      throw new Error(`${path}: ${join('/', ...done, part)} is ${seen === undefined ? 'missing' : 'not a folder'} in the image`);
    done.push(part);
  }
  return join(root, ...done);
}

/** Makes a folder inside an image, and those above it; gives its path on the host. */
export function makeInside(root: string, path: string): string {
  let made = root;
  let inside = '/';
  for (const part of partsOf(path)) {
    inside = join(inside, part);
    made = insideRoot(root, inside);
    if (lstatSync(made, { throwIfNoEntry: false }) === undefined) {
      // A link that leads nowhere: its target's folder may be missing as well.
      mkdirSync(dirname(made), { recursive: true });
      mkdirSync(made, { mode: 0o755 });
    }
  }
  return made;
}

/** The number of a user or group of an image, by name or number. */
export function idInside(root: string, file: 'passwd' | 'group', name: string): number {
  if (/^[0-9]+$/.test(name)) return Number(name);
  if (name === 'root') return 0;
  const lines = readFileSync(insideRoot(root, `/etc/${file}`), 'utf8').split('\n');
  const id = lines.find((line) => line.startsWith(`${name}:`))?.split(':')[2];
  if (id === undefined) throw new Error(`the image has no ${file === 'passwd' ? 'user' : 'group'} "${name}"`);
  return Number(id);
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
