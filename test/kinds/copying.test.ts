import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { readInside } from '../../src/runtime/inside.js';
import { inFolder } from '../support/folder.js';
import { runRecipe } from '../support/recipe.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';

suite('files of an image that the program reads', (test) => {
  const hostile: Record<string, [make: (file: string) => void, error: RegExp]> = {
    'a named pipe': [(file) => execFileSync('mkfifo', [file]), /: \/etc\/passwd of the image is not a regular file$/],
    'a device': [(file) => execFileSync('mknod', [file, 'c', '1', '5']), /: \/etc\/passwd of the image is not a regular file$/],
    'a folder': [(file) => mkdirSync(file), /: \/etc\/passwd of the image is not a regular file$/],
    'a huge file': [
      (file) => {
        writeFileSync(file, '');
        truncateSync(file, 1e12);
      },
      /: \/etc\/passwd of the image is larger than 1048576 bytes$/,
    ],
    'a link to a file of the host': [(file) => symlinkSync(join(dirname(file), '../../victim'), file), /: the image has no user "web"$/],
    'a link out of the image': [(file) => symlinkSync('../../../../../../../../../../../../../victim', file), /: the image has no user "web"$/],
    'a circle of links': [(file) => symlinkSync('passwd', file), /: \/etc\/passwd: too many links, one after the other$/],
    'no number': [(file) => writeFileSync(file, 'web:x:-1\n'), /: the image has no user "web"$/],
  };
  for (const [what, [make, error]] of Object.entries(hostile)) {
    test(`/etc/passwd that is ${what} is an error, not a hang`, () =>
      inFolder({ victim: 'web:x:7:7\n' }, async (folder) => {
        const root = makeRoot(folder);
        rmSync(join(root, 'etc/passwd'));
        make(join(root, 'etc/passwd'));
        const ran = await runRecipe(
          folder,
          `tasks:\n  sys: {uses: chroot, with: {root: ${root}}}\n  up: {uses: chroot.upload, in: sys, with: {from: victim, to: /x, owner: web}}\n`,
        );
        assert.is(ran.code, 1);
        assert.match(ran.errors['up'] ?? '', error);
      }));
  }

  test('are found through links within the image; a missing one is told from one that cannot be read', () =>
    inFolder({ 'root/data/file': 'content\n', 'root/plain': '' }, async (folder) => {
      const root = join(folder, 'root');
      symlinkSync('/data', join(root, 'absolute'));
      symlinkSync('../../data/../absolute/file', join(root, 'data/up'));
      assert.is(await readInside(root, '/absolute/up'), 'content\n');
      assert.is(await readInside(root, '/plain', 0), '');
      assert.is(await readInside(root, '/nothing/at/all'), undefined);
      assert.is(await readInside(root, '/data/nothing'), undefined);
      await rejects(readInside(root, '/plain/file'), '/plain/file: /plain is not a folder in the image');
      await rejects(readInside(root, '/data/file', 7), '/data/file of the image is larger than 7 bytes');
    }));

  test('never come from outside, while links and folders in the image are swapped', () =>
    inFolder({ 'root/a/b/file': 'of the image', 'host/b/file': 'of the host' }, async (folder) => {
      const root = join(folder, 'root');
      symlinkSync(join(folder, 'host'), join(root, 'link'));
      const seen = new Set<string | undefined>();
      for (let at = 0; at < 2_000; at += 1) {
        // Between the steps of the read: it goes on while this swaps.
        const read = readInside(root, '/a/b/file').catch(() => undefined);
        renameSync(join(root, 'a'), join(root, 'aside'));
        renameSync(join(root, 'link'), join(root, 'a'));
        seen.add(await read);
        seen.add(await readInside(root, '/a/b/file'));
        renameSync(join(root, 'a'), join(root, 'link'));
        renameSync(join(root, 'aside'), join(root, 'a'));
      }
      assert.equal(
        [...seen].filter((text) => text !== undefined),
        ['of the image'],
      );
    }));
});

async function rejects(promise: Promise<unknown>, message: string): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (cause: Error) => cause.message,
  );
  assert.is(error, message);
}
