import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Puts links in the place of files and folders and these back, again and again and as fast as it goes, in a process of
 * its own, while something else goes on. What makes or removes something at a place meanwhile does not stop it.
 * @param links what each link says, by its path; the innermost first.
 */
export async function whileSwapping<T>(links: Readonly<Record<string, string>>, body: () => Promise<T>): Promise<T> {
  const child = spawn(process.execPath, ['-e', swap, JSON.stringify(Object.entries(links))], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), ended]);
  try {
    return await body();
  } finally {
    // It puts everything back before it ends.
    child.stdin.end();
    await ended;
  }
}

const swap = `
const { linkSync, lstatSync, renameSync, rmSync, symlinkSync } = require('node:fs');
const links = JSON.parse(process.argv[1]).map(([path, target]) => ({ path, target, isFile: lstatSync(path).isFile() }));
function until(action, path) {
  for (;;) {
    try { return action(); } catch (error) { if (error.code === 'ENOENT') return; }
    try { rmSync(path, { recursive: true, force: true }); } catch {}
  }
}
const move = (from, to) => until(() => renameSync(from, to), to);
for (const { path, isFile } of links) if (isFile) until(() => linkSync(path, path + '.away'), path + '.away');
let ends = false;
process.stdin.on('end', () => { ends = true; }).resume();
console.log('swaps');
(function round() {
  for (let at = 0; at < 50; at += 1) {
    // In the place of a file at once; a folder has to be moved away before.
    for (const { path, target, isFile } of links) {
      if (!isFile) move(path, path + '.away');
      until(() => symlinkSync(target, path + '.link'), path + '.link');
      move(path + '.link', path);
    }
    for (const { path, isFile } of links.toReversed()) {
      if (isFile) until(() => linkSync(path + '.away', path + '.back'), path + '.back');
      else move(path, path + '.link');
      move(path + (isFile ? '.back' : '.away'), path);
    }
  }
  if (!ends) setImmediate(round);
})();
`;
