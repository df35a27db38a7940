import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { isHeld, lock, ownerOf, removeDeadLocks, withLock } from '../../src/linux/lock.js';
import { ownIdentity } from '../../src/linux/process_identity.js';
import { inFolder } from '../support/folder.js';
import { suite } from '../support/suite.js';

const dead = { ...ownIdentity(), started: '1', purpose: 'undo', since: '2026-01-01T00:00:00.000Z' };

/** A lock as a process that was killed leaves it. */
function heldByDead(path: string): void {
  mkdirSync(`${path}.lock`);
  writeFileSync(join(`${path}.lock`, '1-1-1'), JSON.stringify(dead));
}

suite('locks', (test) => {
  test('say whose they are from the moment they are there, and leave nothing when they are given back', () =>
    inFolder({}, async (folder) => {
      const path = join(folder, 'a');
      const release = await lock(path, 'work');
      assert.equal(readdirSync(folder), ['a.lock']);
      assert.is(readdirSync(`${path}.lock`).length, 1);
      assert.equal([ownerOf(path)?.pid, ownerOf(path)?.purpose, isHeld(path)], [process.pid, 'work', true]);
      await release();
      await release();
      assert.equal(readdirSync(folder), []);
    }));

  test('of a process that died are taken at once, by one at a time', () =>
    inFolder({}, async (folder) => {
      const path = join(folder, 'a');
      heldByDead(path);
      assert.is(isHeld(path), false);
      await (await lock(path, 'work'))();
      heldByDead(path);
      let inside = 0;
      let most = 0;
      const one = () =>
        withLock(path, 'work', async () => {
          inside += 1;
          most = Math.max(most, inside);
          await sleep(5);
          inside -= 1;
        });
      await Promise.all(Array.from({ length: 10 }, one));
      assert.is(most, 1);
      assert.equal(readdirSync(folder), []);
    }));

  test("whose owner file a power cut emptied are nobody's", () =>
    inFolder({}, async (folder) => {
      const path = join(folder, 'a');
      mkdirSync(`${path}.lock`);
      writeFileSync(join(`${path}.lock`, '1-1-1'), '');
      await (await lock(path, 'work'))();
    }));

  test('of format 1 are held while their owner lives, and taken when it died', () =>
    inFolder({}, async (folder) => {
      const path = join(folder, 'a');
      mkdirSync(`${path}.lock`);
      const owner = (identity: object) => writeFileSync(`${path}.owner`, JSON.stringify({ ...dead, ...identity, inode: statSync(`${path}.lock`).ino }));
      owner(ownIdentity());
      const refused = await lock(path, 'work').catch((error: Error) => error);
      assert.match(String(refused), `LockedError: ${path} is locked by process ${process.pid} (undo, since 2026-01-01T00:00:00.000Z)`);
      owner({});
      await (await lock(path, 'work'))();
      assert.equal(readdirSync(folder), []);
    }));

  test('that were in the making are removed with those of the dead; those of the living stay', () =>
    inFolder({}, async (folder) => {
      heldByDead(join(folder, 'a'));
      mkdirSync(join(folder, 'b.lock.1-1-1.new'));
      mkdirSync(join(folder, 'c.lock'));
      const release = await lock(join(folder, 'd'), 'work');
      removeDeadLocks(folder);
      assert.equal(readdirSync(folder), ['d.lock']);
      await release();
    }));

  test('are not waited for once the signal comes', () =>
    inFolder({}, async (folder) => {
      const path = join(folder, 'a');
      const release = await lock(path, 'work');
      const stop = new AbortController();
      const patience = { ms: Number.POSITIVE_INFINITY, signal: stop.signal, onWait: () => stop.abort(new Error('enough')) };
      assert.is(await lock(path, 'more', patience).catch((error: Error) => error.message), 'enough');
      await release();
    }));

  test('of a process that died are an error where nothing can be written, not waited for', () =>
    inFolder({ 'm/x': '' }, async (folder) => {
      const place = join(folder, 'm');
      execFileSync('mount', ['-t', 'tmpfs', 'none', place]);
      try {
        heldByDead(join(place, 'a'));
        execFileSync('mount', ['-o', 'remount,ro', place]);
        let hasWaited = false;
        const patience = { ms: Number.POSITIVE_INFINITY, onWait: () => (hasWaited = true) };
        const error = await lock(join(place, 'a'), 'work', patience).catch((failed: Error) => failed);
        assert.match(String(error), /the lock .*\/m\/a\.lock of process \d+ \(undo\), which has died, cannot be removed: EROFS/);
        assert.not.ok(hasWaited);
      } finally {
        execFileSync('umount', [place]);
      }
    }));
});
