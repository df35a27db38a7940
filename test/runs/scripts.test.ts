import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hostShell } from '../../src/linux/command.js';
import { PipeMaker } from '../../src/linux/fifo.js';
import { runScript } from '../../src/linux/sandboxed_script.js';
import { Redactor } from '../../src/runtime/output/redactor.js';
import { redactedOutput } from '../../src/runtime/output/task_output.js';
import { inFolder } from '../support/folder.js';
import { differences, lookAtHost } from '../support/host.js';
import { program, run } from '../support/program.js';
import { runRecipe } from '../support/recipe.js';
import { makeRoot } from '../support/root.js';
import { suite } from '../support/suite.js';

suite('shell tasks', (test) => {
  test('have their outputs read when those have changed, not whenever they print', () =>
    inFolder({}, async (folder) => {
      const seen: string[] = [];
      const text =
        'echo a=1 > $CHROOTFILE_OUTPUT; for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.05; done; until [ -e seen ]; do sleep 0.02; done; echo a=2 > $CHROOTFILE_OUTPUT; echo end';
      const script = { text, shell: ['/bin/sh'], env: { PATH: '/usr/bin:/bin' }, dir: folder, privileged: false, keepsMounts: false };
      const pipes = new PipeMaker(join(folder, 'pipes'), hostShell, redactedOutput(new Redactor()));
      const lines: string[] = [];
      const onLines = (more: string[]) => lines.push(...more);
      const onOutput = (output: string) => {
        seen.push(output);
        writeFileSync(join(folder, 'seen'), '');
      };
      await runScript({ ...script, signal: new AbortController().signal, onLines, onOutput }, pipes);
      assert.equal(lines.slice(-2), ['9', 'end']);
      assert.equal(seen, ['a=1\n', 'a=2\n']);
    }));

  test('hand on values with their types, and start in written order', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(
        folder,
        `tasks:
  make:
    run: |
      echo count=3 >> "$CHROOTFILE_OUTPUT"
      echo 'list=["a","b"]' >> "$CHROOTFILE_OUTPUT"
      echo text=a=b >> "$CHROOTFILE_OUTPUT"
    outputs: {count: {type: integer}, list: {type: list}, text: , none: {description: never given}}
  use: {run: "echo {{ make.count }} {{ join make.list '+' }} '{{ make.text }}' [{{ make.none }}]"}
  group: {needs: [use]}
outputs: {count: "{{ make.count }}", list: "{{ make.list }}", said: "{{ make.text }}!"}
`,
      );
      assert.equal(ran.outputs, { count: 3, list: ['a', 'b'], said: 'a=b!' });
      assert.is(ran.log('use'), '3 a+b a=b []\n');
      assert.equal(ran.nodes, ['make succeeded', 'use succeeded', 'group succeeded']);
    }));

  test('may open what their standard streams are by name, and have nothing on standard input', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(folder, `tasks:\n  a: {run: "echo one > /dev/stdout; echo two > /dev/stderr; echo three | tee /dev/fd/2; cat"}\n`);
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.is(ran.log('a'), 'one\ntwo\nthree\nthree\n');
    }));

  test('have a PATH of their own, which does not lead to what runs them', () =>
    inFolder({}, async (folder) => {
      mkdirSync(join(folder, 'bin'));
      writeFileSync(join(folder, 'bin/unshare'), '#!/bin/sh\necho mine\n', { mode: 0o755 });
      const ran = await runRecipe(folder, `tasks:\n  a: {env: {PATH: ${folder}/bin}, run: "echo $PATH; unshare"}\n`);
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.is(ran.log('a'), `${folder}/bin\nmine\n`);
    }));

  test('run by the shell they name, in the folder they name, with the environment of recipe and task', () =>
    inFolder({ 'sub/x': '' }, async (folder) => {
      const ran = await runRecipe(
        folder,
        `env: {WHO: recipe, BOTH: recipe, EMPTY: }
tasks:
  a:
    shell: [/bin/bash, -euo, pipefail]
    dir: sub
    env: {BOTH: task, MORE: "{{ env.FROM_OUTSIDE }}"}
    run: |
      [[ $WHO == recipe ]]
      pwd; echo $BOTH $MORE; ls
  b: {run: "echo {{ default env.NOT_SET 'unset' }} {{ env.WHO }}", needs: [a]}
  python: {shell: [python3], run: "import os\\nprint(os.getppid())"}
`,
        [],
        { FROM_OUTSIDE: 'outside' },
      );
      assert.is(ran.log('a'), `${folder}/sub\ntask outside\nx\n`);
      assert.is(ran.log('b'), 'unset recipe\n');
      assert.is(ran.code, existsSync('/usr/bin/python3') ? 0 : 1);
    }));

  test('skip by "if": what needs them runs with null, and null where a value must be says who was skipped', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(
        folder,
        `inputs: {full: {type: boolean, default: false}}
tasks:
  a: {if: "{{ inputs.full }}", run: "echo v=1 >> $CHROOTFILE_OUTPUT", outputs: {v: }}
  b: {run: "echo [{{ a.v }}] {{ default a.v 'none' }}"}
  c: {needs: [b], uses: mount, with: {device: "{{ a.v }}"}}
`,
      );
      assert.equal(ran.nodes.slice(0, 1), ['a skipped']);
      assert.is(ran.log('b'), '[] none\n');
      assert.match(ran.errors['c'] ?? '', /r\.yml:7:3: "device" has no value: task "a" was skipped or failed$/);
      assert.is(
        (await runRecipe(folder, `tasks:\n  a: {if: "{{ upper 'maybe' }}", run: "true"}\n`)).errors['a']?.split(': ')[1],
        '"if" must render to true or false, not "MAYBE"',
      );
    }));

  test('come from files beside the recipe, run by the program in their first line and never taken for templates', () =>
    inFolder(
      {
        'lib/setup.sh': '#!/bin/bash -u\n[[ $0 == /proc/1/fd/3 ]] && echo "{{ $WHO }} $BASH_VERSION" | cut -c1-13\n',
        'lib/plain.sh': 'false\necho not reached\n',
        'lib/undo.sh': '#!/bin/bash\n[[ -n $WHO ]] && rm made\n',
        'lib/lib.yml': `version: 1
env: {WHO: library}
tasks:
  setup: {run: {file: setup.sh}}
  plain: {needs: [setup], run: {file: plain.sh}, continue_on_error: true}
  hold: {run: "touch made", undo: {run: {file: undo.sh}, when: always}}
`,
      },
      async (folder) => {
        const ran = await runRecipe(
          folder,
          `includes: {l: {recipe: lib/lib.yml}}
tasks:
  python:
    run: |
      #!/usr/bin/env python3
      import sys
      print(sys.argv[0])
  all: {needs: [l.plain, l.hold]}
`,
        );
        assert.match(ran.log('l.setup'), /^\{\{ library \}\}\n$/);
        assert.match(ran.errors['l.plain'] ?? '', /lib\/lib\.yml:5:\d+: exit code 1\n {2}\$ false/);
        assert.ok(ran.nodes.includes('l.hold.released succeeded') && !existsSync(join(folder, 'lib/made')), ran.nodes.join());
        assert.is(ran.log('python'), existsSync('/usr/bin/python3') ? '/proc/1/fd/3\n' : '');
      },
    ));

  test('are read as YAML reads a text: a byte order mark and the line ends of Windows are no part of them', () =>
    inFolder(
      {
        'mark.sh': '\ufeff#!/bin/bash\necho "bash ${BASH_VERSION:+runs}"\n',
        'windows.sh': '#!/bin/bash\r\nset -e\r\nfalse\r\necho not reached\r\n',
        'undo.sh': 'rm made\r\n',
      },
      async (folder) => {
        const text = `tasks:
  inline:
    run: |
      set -e
      printf '%s\\n' one \\
        two
  mark: {needs: [inline], run: {file: mark.sh}}
  hold: {needs: [mark], run: "touch made", undo: {run: {file: undo.sh}, when: always}}
  windows: {needs: [hold], run: {file: windows.sh}}
`;
        const ran = await runRecipe(folder, text.replaceAll('\n', '\r\n'));
        assert.is(ran.log('inline'), 'one\ntwo\n');
        assert.is(ran.log('mark'), 'bash runs\n');
        assert.match(ran.errors['windows'] ?? '', /exit code 1\n {2}\$ #!\/bin\/bash\n {2}\$ set -e\n {2}\$ false\n {2}\$ echo not reached$/);
        assert.equal([ran.left, existsSync(join(folder, 'made'))], [[], false]);
      },
    ));

  test('paths are relative to the file that says them: the recipe, its library, the file of inputs, the command line', () =>
    inFolder(
      {
        'lib/lib.yml': `version: 1
inputs: {given: {type: path, required: true}, own: {type: path, default: own.txt}}
tasks: {say: {run: "echo {{ inputs.given }} {{ inputs.own }}"}}
`,
        'values/in.yml': 'from_file: f.txt\n',
      },
      async (folder) => {
        const ran = await runRecipe(
          folder,
          `inputs: {line: {type: path}, from_file: {type: path}, preset: {type: path, default: ../p.txt}}
includes: {l: {recipe: lib/lib.yml, with: {given: site.yml}}, m: {recipe: lib/lib.yml, with: {given: "{{ inputs.line }}"}}}
tasks: {say: {needs: [l.say, m.say], run: "echo {{ inputs.line }} {{ inputs.from_file }} {{ inputs.preset }}"}}
`,
          ['-i', 'line=x/l.txt', '--inputs', join(folder, 'values/in.yml')],
        );
        assert.is(ran.log('l.say'), `${folder}/site.yml ${folder}/lib/own.txt\n`);
        assert.is(ran.log('m.say'), `${folder}/x/l.txt ${folder}/lib/own.txt\n`);
        assert.is(ran.log('say'), `${folder}/x/l.txt ${folder}/values/f.txt ${join(folder, '../p.txt')}\n`);
      },
    ));

  test('a resource may mount something for the tasks that use it; it is gone with its release, and after a failure', () =>
    inFolder({}, async (folder) => {
      const before = await lookAtHost();
      const recipe = (end: string) => `tasks:
  scratch:
    env: {AT: "{{ run.dir }}/scratch"}
    run: |
      mkdir -p "$AT"; mount -t tmpfs scratch "$AT"; mkdir "$AT/sub"; mount -t tmpfs below "$AT/sub"
      echo "path=$AT" >> "$CHROOTFILE_OUTPUT"
    outputs: {path: }
    undo: {when: always, run: if mountpoint -q $AT; then umount -R $AT; fi; rmdir $AT}
  use: {run: "mountpoint -q {{ scratch.path }} && touch {{ scratch.path }}/sub/x && ls {{ scratch.path }}/sub; ls /proc | grep -c '^[0-9]'"}
  after: {needs: [scratch.released], run: "ls -d {{ run.dir }}/scratch || ${end}"}
`;
      const ran = await runRecipe(folder, recipe('true'));
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.match(ran.log('use'), /^x\n[1-6]\n$/);
      assert.match(ran.log('after'), 'No such file');
      const failed = await runRecipe(folder, recipe('true').replace('ls /proc', 'exit 1; ls /proc'));
      assert.equal([failed.code, failed.undone], [1, ['scratch']]);
      assert.equal(differences(before, await lookAtHost()), []);
    }));

  test('fail when their time is over, whatever they exit with, and are tried again as often as said', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(
        folder,
        `tasks:
  slow: {run: "trap 'exit 0' TERM; sleep 30 & wait", timeout: 300ms, continue_on_error: true}
  again:
    needs: [slow]
    retries: {limit: 2, delay: 10ms, backoff: 2}
    run: |
      echo x >> tries
      [ "$(wc -l < tries)" = 3 ]
`,
      );
      assert.equal(ran.nodes, ['slow tolerated', 'again succeeded']);
      assert.match(ran.errors['slow'] ?? '', /timed out after 0\.3 s/);
      assert.is(readFileSync(join(folder, 'tries'), 'utf8'), 'x\nx\nx\n');
      assert.equal(
        ran.events.filter((event) => event['type'] === 'task.retrying').map((event) => event['inMs']),
        [10, 20],
      );
    }));

  test('after a failure nothing new starts and what runs is cancelled; --keep-going runs what does not depend on it', () =>
    inFolder({}, async (folder) => {
      const recipe = `tasks:
  bad: {run: "until [ -e other ]; do sleep 0.02; done; exit 3"}
  other: {run: "touch other; sleep 1000"}
  after: {needs: [bad], run: "true"}
  third: {run: "echo third"}
`;
      const stopped = await runRecipe(folder, recipe, ['-j', '2']);
      assert.is(stopped.code, 1);
      assert.equal([...stopped.nodes].sort(), ['after not_run', 'bad failed', 'other failed', 'third not_run']);
      assert.match(stopped.errors['other'] ?? '', /cancelled/);
      const kept = await runRecipe(folder, recipe.replace('sleep 1000', 'sleep 0.5'), ['-j', '2', '--keep-going']);
      assert.is(kept.code, 1);
      assert.equal([...kept.nodes].sort(), ['after not_run', 'bad failed', 'other succeeded', 'third succeeded']);
    }));

  test('a daemon left behind is ended and named, though it holds the output, ignores TERM and has a session of its own', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const before = await lookAtHost();
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}}}
  a:
    in: sys
    run: |
      sh -c "trap '' TERM; while :; do sleep 1; done" &
      setsid sleep 1000 > /tmp/held 2>&1 &
      until grep -q sleep /proc/$!/comm; do :; done
      mkdir -p /tmp/m && mount -t tmpfs x /tmp/m
      echo done
  b: {in: sys, needs: [a], run: "ps | grep -c '[s]leep' || true; mount | grep -c /tmp/m || true"}
`,
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      const left = ran.events.find((event) => event['type'] === 'task.left_behind');
      const names = (left?.['processes'] ?? []) as string[];
      assert.ok(names.includes('sh') && names.includes('sleep'), names.join());
      assert.equal(left?.['mounts'], ['/tmp/m']);
      assert.is(ran.log('b'), '0\n0\n');
      const plain = await run(['run', 'r.yml', 'a'], { folder });
      assert.match(plain.stdout, /^! a left background processes \(.+\); they were killed; mounts \(\/tmp\/m\); they were unmounted$/m);
      assert.equal(differences(before, await lookAtHost()), []);
    }));

  test('in a chroot see the image alone: own processes, no credentials of the host, dir inside the image', () =>
    inFolder({}, async (folder) => {
      const root = makeRoot(folder);
      const ran = await runRecipe(
        folder,
        `tasks:
  sys: {uses: chroot, with: {root: ${root}}}
  a: {in: sys, dir: /etc, env: {MINE: yes}, run: "pwd; env | sort | cut -d= -f1 | tr '\\n' ' '; echo; ls /proc | grep -c '^[0-9]'; ls /dev | tr '\\n' ' '"}
`,
        [],
        { AWS_SECRET_ACCESS_KEY: 'very-secret', http_proxy: 'http://proxy' },
      );
      const [pwd, env, processes, dev] = ran.log('a').split('\n');
      assert.is(pwd, '/etc');
      // Node gives it on to all that it starts, where coverage is measured.
      assert.is(env?.replace('NODE_V8_COVERAGE ', ''), 'CHROOTFILE_OUTPUT HOME LANG MINE PATH PWD SHLVL SYSTEMD_OFFLINE TERM http_proxy ');
      assert.ok(Number(processes) < 8, processes);
      assert.is(dev?.trim(), 'fd full null ptmx pts random shm stderr stdin stdout tty urandom zero');
    }));

  test('in an image of another architecture fail with both, and with what its emulator lacks', () =>
    inFolder({}, async (folder) => {
      const busybox = join(makeRoot(folder), 'bin/busybox');
      const bytes = readFileSync(busybox);
      // Where an ELF file says what machine it is for: AArch64, and one that is none.
      const as = (machine: number) => {
        bytes.writeUInt16LE(machine, 18);
        rmSync(busybox);
        writeFileSync(busybox, bytes, { mode: 0o755 });
      };
      const recipe = `tasks:\n  sys: {uses: chroot, with: {root: ${folder}/root}}\n  a: {in: sys, run: "true"}\n`;
      const own = execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim();
      as(own === 'aarch64' ? 62 : 183);
      const other = own === 'aarch64' ? 'x86_64' : 'aarch64';
      const help = '\n  help: apt-get install qemu-user-static, which registers emulators with the flag F\n';
      const plain = (await runRecipe(folder, recipe)).errors['a'] ?? '';
      assert.match(
        plain,
        `: exit code 126: /bin/sh in the image is built for ${other}, this machine is ${own}, and binfmt_misc has no emulator for ${other}${help}`,
      );
      if (spawnSync('unshare', ['--mount', 'mount', '-t', 'binfmt_misc', 'x', '/proc/sys/fs/binfmt_misc']).status !== 0) return;
      as(0xfedc);
      const registered = `mount -t binfmt_misc x /proc/sys/fs/binfmt_misc && cd /proc/sys/fs/binfmt_misc || exit 9
        trap 'echo -1 > chrootfile-test' EXIT
        printf '%s' ':chrootfile-test:M:18:\\xdc\\xfe::/usr/bin/qemu-none:' > register
        cd "$1" && "$2" run r.yml --state state`;
      const ended = spawnSync('unshare', ['--mount', '--', 'sh', '-c', registered, 'sh', folder, program], { encoding: 'utf8' });
      assert.match(
        ended.stderr,
        `: exit code 127: /bin/sh in the image is built for ELF machine 65244, this machine is ${own}, and chrootfile-test is registered`,
      );
      assert.match(ended.stderr, `with binfmt_misc without the flag F, so the kernel looks for it inside the image${help}`);
    }));

  test('secrets are shown nowhere: not as they are, not in base64, not with a library’s name for them', () =>
    inFolder(
      {
        'lib.yml':
          'version: 1\ninputs: {password: {type: string, secret: true}}\ntasks:\n  say: {run: "echo lib {{ upper inputs.password }}; printf %s {{ inputs.password }} | base64; exit 1", continue_on_error: true}\n',
      },
      async (folder) => {
        const ran = await runRecipe(
          folder,
          `inputs: {token: {type: string, secret: true, required: true}}
includes: {lib: {recipe: lib.yml, with: {password: "x{{ inputs.token }}y"}}}
vars: {header: "Bearer {{ inputs.token }}"}
tasks:
  a:
    env: {HEADER: "{{ vars.header }}"}
    outputs: {key: {secret: true}}
    run: |
      echo "$HEADER"; echo {{ inputs.token }}-more; echo key=made-$((1000+337))-in-script >> "$CHROOTFILE_OUTPUT"
      echo 'hunter2 two words' | sed 's/ /%20/g'
  b: {run: "echo {{ a.key }}; false {{ inputs.token }}", continue_on_error: true}
  c: {needs: [lib.say]}
`,
          ['-i', 'token=hunter2 two words'],
        );
        assert.is(ran.code, 0, ran.ended.stdout);
        const state = join(folder, 'state');
        const kept = await run(['logs'], { folder });
        const everything = [ran.ended.stdout, ran.ended.stderr, kept.stdout, ...allFiles(state)].join('\n');
        for (const secret of ['hunter2', 'HUNTER2', 'made-1337-in-script', Buffer.from('xhunter2 two wordsy').toString('base64'), 'hunter2%20two']) {
          assert.not.match(everything, secret);
        }
        assert.is(ran.log('a'), '***\n***-more\n***\n');
      },
    ));

  test('template: false leaves braces alone; \\{{ is a literal; values are not rendered twice', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(
        folder,
        `inputs: {x: {type: string, default: "{{ run.id }}"}}\ntasks:\n  a: {template: false, run: "echo '{{.State}}'"}\n  b: {run: "echo '\\\\{{.State}}' '{{ inputs.x }}'"}\n`,
      );
      assert.is(ran.log('a'), '{{.State}}\n');
      assert.is(ran.log('b'), '{{.State}} {{ run.id }}\n');
    }));

  test('variables by command run once on the host before the first task', () =>
    inFolder({}, async (folder) => {
      const ran = await runRecipe(
        folder,
        `vars: {n: {sh: "echo ran >> count; echo forty"}, m: "{{ vars.n }}-two"}\ntasks:\n  a: {run: "echo {{ vars.m }} {{ vars.n }}"}\n  b: {run: "echo {{ vars.n }}"}\n`,
      );
      assert.is(ran.log('a'), 'forty-two forty\n');
      assert.is(readFileSync(join(folder, 'count'), 'utf8'), 'ran\n');
      const bad = await runRecipe(folder, `vars: {n: {sh: "echo oops >&2; exit 4"}}\ntasks:\n  a: {run: "echo {{ vars.n }}"}\n`);
      assert.is(bad.code, 1);
      assert.match(bad.warnings[0] ?? '', /r\.yml:3:16: variable "n": .*failed with exit code 4\n {2}oops$/);
    }));

  test('inputs come from the command line, a file, the environment and the default, in this order', () =>
    inFolder({ 'in.yml': 'b: file\nc: file\n' }, async (folder) => {
      const declared = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}: {type: string, default: default}`).join(', ');
      const ran = await runRecipe(
        folder,
        `inputs: {${declared}, l: {type: list, default: []}}\ntasks:\n  t: {run: "echo {{ inputs.a }} {{ inputs.b }} {{ inputs.c }} {{ inputs.d }} {{ inputs.e }} {{ join inputs.l '+' }}"}\n`,
        ['-i', 'a=cli', '-i', 'b=cli=2', '--inputs', join(folder, 'in.yml'), '-i', 'l=["x","y"]'],
        { CHROOTFILE_INPUT_C: 'env', CHROOTFILE_INPUT_D: 'env' },
      );
      assert.is(ran.log('t'), 'cli cli=2 file env default x+y\n');
    }));

  test('not as root: exit 3 and the line to type', () =>
    inFolder({}, async (folder) => {
      const { execFile } = await import('node:child_process');
      const done = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
        execFile(
          'setpriv',
          ['--reuid=65534', '--regid=65534', '--clear-groups', program, 'run', 'recipes/base.yml'],
          { cwd: join(program, '../..'), env: { PATH: process.env['PATH'], CHROOTFILE_STATE: folder } },
          (error, _, stderr) => resolve({ code: error?.code, stderr }),
        );
      });
      assert.is(
        done.stderr,
        `error: run needs root: it mounts file systems, attaches volumes and enters chroots\n  help: sudo chrootfile run recipes/base.yml --state ${folder}\n`,
      );
      assert.is(done.code, 3);
    }));

  test('without a recipe here or above: exit 2 and what to type', () =>
    inFolder({}, async (folder) => {
      assert.equal(await said(['run'], folder), [
        2,
        'error: cannot read chrootfile.yml: there is no such file [command-line]\n  help: name a recipe, e.g. chrootfile run base.yml, or create one with chrootfile init\n\n1 error',
      ]);
    }));
});

async function said(args: readonly string[], folder: string): Promise<[number | null, string]> {
  const { code, stderr } = await run(args, { folder });
  return [code, stderr.trimEnd()];
}

function allFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'utf8'));
}
