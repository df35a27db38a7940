import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { ownIdentity } from '../../src/linux/process_identity.js';
import { unclaimRoot } from '../../src/linux/root_claim.js';
import { idOf, withPlaces } from '../../src/linux/stand_in_files.js';
import { placeStandIns, restoreStandIns, standInsFor } from '../../src/linux/stand_ins.js';
import { renewStandIns } from '../../src/runtime/engine/renew_stand_ins.js';
import { Journal } from '../../src/runtime/runs/journal.js';
import { inFolder } from '../support/folder.js';
import { program, run, start } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';

const chrootOf = (root: string, more = '') => `tasks:\n  sys: {uses: chroot, with: {root: ${JSON.stringify(root)}${more}}}\n`;
const host = readFileSync('/etc/resolv.conf', 'utf8');
/** As a log has it: each script ends its last line. */
const printed = host.replace(/\n?$/, '\n');

suite('stand-ins', (test) => {
  const path = '/etc/resolv.conf';
  const acts: Record<string, { script: string; left: string | undefined; warning: string }> = {
    'moved another file there': {
      script: 'echo built > /etc/x; mv /etc/x /etc/resolv.conf',
      left: 'built\n',
      warning: 'the build replaced /etc/resolv.conf with another file: the image keeps that',
    },
    'removed it and made it again, by the same inode': {
      script: 'rm /etc/resolv.conf; echo built > /etc/resolv.conf',
      left: 'built\n',
      warning: 'the build replaced /etc/resolv.conf with another file: the image keeps that',
    },
    'put a link there': {
      script: 'ln -sf ../run/resolvconf/resolv.conf /etc/resolv.conf',
      left: '-> ../run/resolvconf/resolv.conf',
      warning: 'the build replaced /etc/resolv.conf with a link to ../run/resolvconf/resolv.conf: the image keeps that',
    },
    'put a folder there': {
      script: 'rm /etc/resolv.conf; mkdir /etc/resolv.conf',
      left: 'a folder',
      warning: 'the build replaced /etc/resolv.conf with a folder: the image keeps that',
    },
    'removed it': { script: 'rm /etc/resolv.conf', left: undefined, warning: 'the build removed /etc/resolv.conf: it is missing in the image' },
    'wrote into it': {
      script: 'echo nameserver 192.0.2.1 >> /etc/resolv.conf',
      left: 'from the image\n',
      warning:
        'changes of the build to /etc/resolv.conf were dropped: the file was a copy from this machine\n  help: to keep a change, replace the file, e.g. with mv or chroot.upload',
    },
    "removed the image's own, which was set aside": {
      script: 'rm -f /etc/.*kept',
      left: undefined,
      warning: "a script removed the image's own /etc/resolv.conf, which was set aside as /etc/.resolv.conf.chrootfile-kept: it is missing in the image",
    },
  };
  for (const [act, { script, left, warning }] of Object.entries(acts)) {
    test(`a script that ${act}: the image has what the build made, and a warning says so`, () =>
      inFolder({}, async (folder) => {
        const root = makeRoot(folder);
        const ran = await runRecipe(folder, `${chrootOf(root)}  a: {in: sys, run: ${JSON.stringify(script)}}\n`);
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.is(stateOf(join(root, path)), left);
        assert.equal(ran.warnings, [`sys: ${warning}`]);
        assert.equal(leftovers(root), []);
        assert.is(readFileSync('/etc/resolv.conf', 'utf8'), host);
      }));
  }

  for (const [act, { script, left }] of Object.entries(acts).filter(([, { left }]) => left !== 'from the image\n')) {
    test(`names resolve again in the next task, undo script and retry after a script that ${act}`, () =>
      inFolder({}, async (folder) => {
        const root = makeRoot(folder);
        const ran = await runRecipe(
          folder,
          `${chrootOf(root)}
  a: {in: sys, run: ${JSON.stringify(script)}}
  b: {in: sys, needs: [a], run: "cat /etc/resolv.conf; [ -h /etc/resolv.conf ] || mv /etc/resolv.conf /etc/gone; mount | grep resolv.conf || true; [ -e /tmp/once ] || { touch /tmp/once; exit 1; }", retries: {limit: 1}, undo: {run: "cat /etc/resolv.conf"}}
  fail: {in: sys, needs: [b], run: "[ ! -e /tmp/fail ]"}
`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.is(ran.log('b'), printed.repeat(3));
        if (left?.startsWith('->')) assert.is(stateOf(join(root, path)), left);
        assert.equal(leftovers(root), []);
        writeFileSync(join(root, 'tmp/fail'), '');
        rmSync(join(root, path), { recursive: true, force: true });
        writeFileSync(join(root, path), 'from the image\n');
        const failed = await runRecipe(folder, readFileSync(join(folder, 'r.yml'), 'utf8').replace('version: 1\nname: r\n', ''));
        assert.is(failed.code, 1, failed.ended.stdout);
        const shown = failed.events.filter(({ type, task }) => type === 'task.output' && task === 'b').flatMap(({ lines }) => lines as string[]);
        assert.is(shown.map((line) => `${line}\n`).join(''), printed.repeat(2));
        assert.equal(leftovers(root), []);
      }));
  }

  test('a link the build left to somewhere that is part of the image, or of the host, is set aside meanwhile; nothing is written through it', () =>
    inFolder({ 'host/resolv.conf': 'of the host\n' }, async (folder) => {
      const root = makeRoot(folder);
      const mounts = `, mounts: [{source: ${folder}/host, target: /run}]`;
      const acts = 'cat /etc/resolv.conf; ln -sf $TO /etc/resolv.conf';
      for (const [to, more] of [
        ['/etc/stub', ''],
        [`${folder}/host/resolv.conf`, ''],
        ['/run/resolv.conf', mounts],
        ['/etc/resolv.conf', ''],
      ] as const) {
        const ran = await runRecipe(
          folder,
          `env: {TO: ${to}}\n${chrootOf(root, more)}  a: {in: sys, run: "${acts}"}\n  b: {in: sys, needs: [a], run: "cat /etc/resolv.conf; [ ! -h /etc/resolv.conf ]"}\n`,
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        assert.equal([ran.log('a'), ran.log('b')], [printed, printed]);
        assert.is(stateOf(join(root, path)), `-> ${to}`);
        assert.equal([existsSync(join(root, 'etc/stub')), readdirSync(join(root, 'run')), leftovers(root)], [false, [], []]);
        assert.equal([readdirSync(join(folder, 'host')), readFileSync(join(folder, 'host/resolv.conf'), 'utf8')], [['resolv.conf'], 'of the host\n']);
      }
    }));

  test('a link the build left into its own /run and up again leads to no file of the host', () =>
    inFolder({ 'host/canary': 'of the host\n' }, async (folder) => {
      const root = makeRoot(folder);
      const canary = `${folder}/host/canary`;
      for (const to of ['/run/none/../x/canary', '/run/none/../../x/canary', '/run/x/canary', '/run/none/canary']) {
        const act = `ln -s ${folder}/host /run/x; ln -s ${folder}/host /x; ln -sfn ${to} /etc/resolv.conf`;
        const ran = await runRecipe(folder, `${chrootOf(root)}  a: {in: sys, run: "${act}"}\n  b: {in: sys, needs: [a], run: cat /etc/resolv.conf; rm /x}\n`);
        assert.is(readFileSync(canary, 'utf8'), 'of the host\n');
        assert.equal([ran.code, ran.log('b')], [0, printed], ran.ended.stdout);
        assert.equal([readdirSync(join(folder, 'host')), stateOf(join(root, path)), leftovers(root)], [['canary'], `-> ${to}`, []]);
      }
    }));

  test("every file of copy_files, and policy-rc.d, is the build's where the build replaced it, and stands in again in the next task", () =>
    inFolder({ 'app.conf': 'of the host\n' }, async (folder) => {
      const root = makeRoot(folder);
      const own = join(root, folder, 'app.conf');
      mkdirSync(join(root, folder), { recursive: true });
      writeFileSync(own, 'of the image\n');
      const ran = await runRecipe(
        folder,
        `${chrootOf(root, `, copy_files: [${folder}/app.conf, /etc/hosts, /etc/hosts]`)}
  a: {in: sys, run: "sed -i s/host/build/ ${folder}/app.conf; printf 'exit 0' > /tmp/p; mv /tmp/p /usr/sbin/policy-rc.d; rm /etc/hosts"}
  b: {in: sys, needs: [a], run: "cat ${folder}/app.conf; /usr/sbin/policy-rc.d || echo $?; grep -c localhost /etc/hosts"}
  c: {uses: chroot.upload, in: sys, needs: [b], with: {from: r.yml, to: /etc/hosts}}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.match(ran.log('b'), /^of the host\n101\n[1-9]\n$/);
      assert.is(readFileSync(own, 'utf8'), 'of the build\n');
      assert.is(stateOf(join(root, 'usr/sbin/policy-rc.d')), 'exit 0');
      assert.is(readFileSync(join(root, 'etc/hosts'), 'utf8'), readFileSync(join(folder, 'r.yml'), 'utf8'));
      assert.is(ran.warnings.length, 3, ran.warnings.join('\n'));
      assert.equal(leftovers(root), []);
    }));

  test('what was written into a stand-in is dropped before the next task', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const ran = await runRecipe(
        folder,
        `${chrootOf(root)}  a: {in: sys, run: ": > /etc/resolv.conf"}\n  b: {in: sys, needs: [a], run: cat /etc/resolv.conf}\n  c: {in: sys, needs: [b], run: cat /etc/resolv.conf}\n`,
      );
      assert.equal([ran.code, ran.log('b'), ran.log('c')], [0, printed, printed], ran.ended.stdout);
      assert.is(ran.warnings.length, 1, ran.warnings.join('\n'));
      assert.is(stateOf(join(root, path)), 'from the image\n');
    }));

  test('folders and links of the image at the paths of stand-ins come back as they were', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      rmSync(join(root, path));
      for (const file of ['etc/resolv.conf/head', 'usr/sbin/policy-rc.d/x']) {
        mkdirSync(join(root, file, '..'), { recursive: true });
        writeFileSync(join(root, file), file);
      }
      const ran = await runRecipe(folder, `${chrootOf(root)}  a: {in: sys, run: "cat /etc/resolv.conf; /usr/sbin/policy-rc.d || echo $?"}\n`);
      assert.equal([ran.code, ran.log('a'), ran.warnings], [0, `${host}101\n`, []], ran.ended.stdout);
      for (const file of ['etc/resolv.conf/head', 'usr/sbin/policy-rc.d/x']) assert.is(readFileSync(join(root, file), 'utf8'), file);
      assert.equal(leftovers(root), []);
    }));
});

suite('stand-ins of a run that was cut short', (test) => {
  const note = (root: string) => ({ root, id: idOf(root), replaced: standInsFor(root, ['/etc/resolv.conf'], false) });
  const [path, kept, draft] = ['etc/resolv.conf', 'etc/.resolv.conf.chrootfile-kept', 'etc/.resolv.conf.chrootfile-new'];
  type Placed = ReturnType<typeof note>;
  const cuts: Record<string, (root: string, noted: Placed) => Placed> = {
    'before it wrote down what it puts there': (root, noted) => {
      const cut = () => {
        throw new Error('cut');
      };
      assert.throws(() => placeStandIns(noted, cut), 'cut');
      assert.ok(existsSync(join(root, draft)));
      return noted;
    },
    'before it moved anything': (_, noted) => {
      let placed = noted;
      const cut = (replaced: Placed['replaced']) => {
        placed = { ...noted, replaced };
        throw new Error('cut');
      };
      assert.throws(() => placeStandIns(noted, (replaced) => cut([...replaced])), 'cut');
      return placed;
    },
    "once the image's own was aside": (root, noted) => {
      const placed = place(noted);
      renameSync(join(root, path), join(root, draft));
      return placed;
    },
    'once all was in place': (_, noted) => place(noted),
    'as the files were put back': (root, noted) => {
      const placed = place(noted);
      renameSync(join(root, path), join(root, draft));
      renameSync(join(root, kept), join(root, path));
      return placed;
    },
  };
  const place = (noted: Placed): Placed => {
    let placed = noted;
    placeStandIns(noted, (replaced) => {
      placed = { ...noted, replaced: [...replaced] };
    });
    return placed;
  };
  for (const [cut, act] of Object.entries(cuts)) {
    test(`${cut}: the image's own come back, without a word, also where that is done twice`, () =>
      inFolder({}, async (folder) => {
        const root = makeRoot(folder);
        const placed = act(root, note(root));
        const warnings: string[] = [];
        for (const _ of [1, 2]) {
          await restoreStandIns(placed, (message) => warnings.push(message));
          assert.equal([stateOf(join(root, path)), readdirSync(join(root, 'usr/sbin')), leftovers(root), warnings], ['from the image\n', [], [], []]);
        }
      }));
  }

  test("over what an earlier crash left there, once it wrote down what it puts there: the image's own come back", () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      place(note(root));
      const placed = cuts['before it moved anything']?.(root, note(root)) as Placed;
      await restoreStandIns(placed, () => {});
      assert.equal([stateOf(join(root, path)), leftovers(root)], ['from the image\n', []]);
    }));

  test('after the build removed the file, as it was to stand in anew: it is missing in the image', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const placed = place(note(root));
      rmSync(join(root, path));
      const head = { format: 2, run: 'r', recipe: 'r.yml', started: '', cloud: { provider: 'local' as const }, owner: ownIdentity(), sandbox: true };
      const journal = Journal.create(join(folder, 'journal.jsonl'), head);
      journal.add({ task: 'sys', kind: 'chroot', standsOn: [], on: [], data: placed });
      const { update } = journal;
      const cut = new Error('cut');
      journal.update = (id, data) => {
        update.call(journal, id, data);
        throw cut;
      };
      try {
        await renewStandIns(journal, 'sys', () => {});
        assert.unreachable();
      } catch (error) {
        assert.is(error, cut);
      }
      await restoreStandIns(journal.open[0]?.data as Placed, () => {});
      assert.equal([stateOf(join(root, path)), leftovers(root)], [undefined, []]);
      journal.close();
    }));

  test('of which two paths lead to one place stand in there once, policy-rc.d too', () =>
    inFolder({ 'sbin/policy-rc.d': '' }, (folder) => {
      const root = makeRoot(folder);
      mkdirSync(join(root, folder), { recursive: true });
      symlinkSync('/usr/sbin', join(root, folder, 'sbin'));
      const own = join(folder, 'sbin/policy-rc.d');
      assert.equal(
        standInsFor(root, [own, own], false).map(({ file }) => file),
        [own],
      );
    }));

  test('write into the folder that was checked, also where a link is swapped in for it at that moment', () =>
    inFolder({ 'host/resolv.conf': 'of the host\n' }, (folder) => {
      const root = makeRoot(folder);
      const [standIn] = place(note(root)).replaced;
      assert.ok(standIn);
      withPlaces(root, standIn, ({ path, kept, draft, inside }) => {
        assert.is(inside, '/etc');
        renameSync(join(root, 'etc'), join(root, 'old'));
        symlinkSync(join(folder, 'host'), join(root, 'etc'));
        writeFileSync(draft, '');
        renameSync(kept, path);
      });
      assert.equal(readdirSync(join(folder, 'host')), ['resolv.conf']);
      assert.is(readFileSync(join(folder, 'host/resolv.conf'), 'utf8'), 'of the host\n');
      assert.is(readFileSync(join(root, 'old/resolv.conf'), 'utf8'), 'from the image\n');
      assert.throws(() => withPlaces(root, standIn, () => {}), '/etc in the image has been replaced');
    }));

  test('stand in anew for two tasks at once: what the build put there is kept', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const placed = { ...place(note(root)), by: 'r sys' };
      renameSync(join(root, 'etc/passwd'), join(root, path));
      const head = { format: 2, run: 'r', recipe: 'r.yml', started: '', cloud: { provider: 'local' as const }, owner: ownIdentity(), sandbox: true };
      const journal = Journal.create(join(folder, 'journal.jsonl'), head);
      journal.add({ task: 'sys', kind: 'chroot', standsOn: [], on: [], data: placed });
      const warnings: string[] = [];
      const renewed = () => renewStandIns(journal, 'sys', (message) => warnings.push(message));
      try {
        await Promise.all([renewed(), renewed()]);
        assert.equal([stateOf(join(root, path)), warnings.length], [host, 1]);
        rmSync(join(root, path));
        renameSync(join(root, 'etc/group'), join(root, path));
        await Promise.all([renewed(), renewed()]);
        assert.equal([stateOf(join(root, path)), warnings.length], [host, 2]);
        await restoreStandIns(journal.open[0]?.data as Placed, () => {});
        assert.match(stateOf(join(root, path)) ?? '', /^root:x:0:\n/);
        assert.equal(leftovers(root), []);
      } finally {
        await unclaimRoot(placed);
        journal.close();
      }
    }));

  test('and kept stand in anew when it is gone on with', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const recipe = `${chrootOf(root)}  a: {in: sys, run: "cat /etc/resolv.conf; ln -sf built /etc/resolv.conf; [ -e /tmp/go ]"}\n`;
      const kept = await runRecipe(folder, recipe, ['--on-failure', 'keep']);
      assert.is(kept.code, 1, kept.ended.stdout);
      writeFileSync(join(root, 'tmp/go'), '');
      const [id = ''] = readdirSync(join(folder, 'state/runs'));
      const resumed = await run(['run', '--resume', id, '--format', 'plain'], { folder });
      assert.equal([resumed.code, resumed.stdout.includes(`a | ${printed.split('\n')[0]}`)], [0, true], resumed.stdout + resumed.stderr);
      assert.equal([stateOf(join(root, path)), leftovers(root)], ['-> built', []]);
    }));
});

suite('one root', (test) => {
  const refused = (root: string, by: string) =>
    new RegExp(
      `: ${root} is already the root of another chroot, sys of run ${by} \\(process \\d+, since .*\\), which has replaced files in it\\n {2}help: start after its release, e\\.g\\. needs: \\[sys\\.released\\]`,
    );

  test('is refused to a second chroot of the run while files stand in there, and not afterwards, nor where none stand in', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const second = (with_: string) => `${chrootOf(root)}
  a: {in: sys, run: cat /etc/resolv.conf}
  other: {uses: chroot, needs: [a], with: {root: ${root}${with_}}}
  b: {in: other, run: cat /etc/resolv.conf}
`;
      const both = await runRecipe(folder, `${second('')}  c: {in: sys, needs: [b], run: "true"}\n`);
      assert.is(both.code, 1, both.ended.stdout);
      assert.match(both.errors['other'] ?? '', refused(root, '\\S+'));
      assert.equal([stateOf(join(root, 'etc/resolv.conf')), leftovers(root)], ['from the image\n', []]);
      const bare = await runRecipe(folder, `${second(', copy_files: [], services: true, mounts: []')}  c: {in: sys, needs: [b], run: "true"}\n`);
      assert.equal([bare.code, bare.log('b')], [0, printed], bare.ended.stdout);
      const after = await runRecipe(folder, second('').replace('needs: [a]', 'needs: [sys.released]'));
      assert.equal([after.code, after.log('b')], [0, printed], after.ended.stdout);
      assert.equal([stateOf(join(root, 'etc/resolv.conf')), leftovers(root)], ['from the image\n', []]);
    }));

  test(
    'is refused to another run; after kill -9 of the first the undo puts the files back once the other is done',
    () =>
      inFolder({}, async (folder) => {
        const root = makeRoot(folder);
        writeFileSync(join(folder, 'first.yml'), `version: 1\nname: first\n${chrootOf(root)}  a: {in: sys, run: "echo ready; sleep 60"}\n`);
        const first = start(['run', 'first.yml'], { folder });
        await first.saw('a | ready');
        const [id = ''] = readdirSync(join(folder, 'state/runs'));
        const recipe = `${chrootOf(root)}  a: {in: sys, run: "cat /etc/resolv.conf; touch /tmp/ready; while [ ! -e /tmp/go ]; do sleep 0.1; done"}\n`;
        const other = await runRecipe(folder, recipe);
        assert.is(other.code, 1, other.ended.stdout);
        assert.match(other.errors['sys'] ?? '', refused(root, id));
        assert.is(stateOf(join(root, 'etc/.resolv.conf.chrootfile-kept')), 'from the image\n');
        first.child.kill('SIGKILL');
        await first.ended;
        const ran = runRecipe(folder, recipe);
        while (!existsSync(join(root, 'tmp/ready'))) await sleep(20);
        const early = await run(['undo', id], { folder });
        assert.is(early.code, 5, early.stdout + early.stderr);
        assert.match(early.stderr, `${root} is already the root of another chroot`);
        writeFileSync(join(root, 'tmp/go'), '');
        const { code, ended, log } = await ran;
        assert.equal([code, log('a')], [0, printed], ended.stdout);
        assert.is((await run(['undo', id], { folder })).code, 0);
        assert.equal([stateOf(join(root, 'etc/resolv.conf')), leftovers(root)], ['from the image\n', []]);
      }),
    60_000,
  );
});

suite('modes', (test) => {
  test('in an image do not depend on the umask of who builds it', () =>
    inFolder({ 'files/sub/a': 'a\n' }, async (folder) => {
      const root = makeRoot(folder);
      const more = `  a: {in: sys, run: "umask; mkdir /made; stat -c %a /etc/resolv.conf"}
  up: {uses: chroot.upload, in: sys, with: {from: files, to: /srv/deep/www}}
  host: {needs: [sys, a], run: umask}
`;
      execFileSync('chmod', ['-R', 'u=rwX,go=rX', join(folder, 'files')]);
      writeFileSync(join(folder, 'r.yml'), `version: 1\nname: r\n${chrootOf(root)}${more}`);
      const command = 'umask 077; exec "$0" run r.yml --format plain';
      const env = { ...process.env, CHROOTFILE_STATE: join(folder, 'state') };
      const shown = execFileSync('/bin/sh', ['-c', command, program], { cwd: folder, env, encoding: 'utf8' });
      const mode = (statSync('/etc/resolv.conf').mode & 0o777).toString(8);
      assert.match(shown, `a | 0022\na | ${mode}\n`);
      assert.match(shown, 'host | 0022\n');
      for (const path of ['srv', 'srv/deep', 'srv/deep/www', 'srv/deep/www/sub', 'made']) assert.is(statSync(join(root, path)).mode & 0o777, 0o755, path);
      assert.is(statSync(join(root, 'srv/deep/www/sub/a')).mode & 0o777, 0o644);
    }));
});

/** What is at a path: the content of a file, where a link leads, or that it is a folder. */
function stateOf(path: string): string | undefined {
  const seen = lstatSync(path, { throwIfNoEntry: false });
  if (seen?.isSymbolicLink()) return `-> ${readlinkSync(path)}`;
  if (seen?.isDirectory()) return 'a folder';
  return seen === undefined ? undefined : readFileSync(path, 'utf8');
}

/** What the program should have taken away again from the folders it puts files in. */
function leftovers(root: string): string[] {
  return ['etc', 'usr/sbin'].flatMap((folder) => readdirSync(join(root, folder)).filter((name) => name.includes('chrootfile')));
}
