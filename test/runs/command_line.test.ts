import { chmodSync, chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

const recipe = 'version: 1\ntasks:\n  image: {run: "true"}\n';

/** What is typed after `chrootfile`, as users of other tools or in a hurry type it: the error, and the help below it. */
const mistakes: readonly (readonly [line: string, error: string, help: string])[] = [
  ['rnu', 'unknown command "rnu"', 'did you mean "run"?'],
  ['chekc r.yml', 'unknown command "chekc"', 'did you mean "check"?'],
  ['biuld', 'unknown command "biuld"', '"chrootfile --help" lists the commands; "chrootfile run biuld" runs a task'],
  ['build', 'unknown command "build"', 'write "chrootfile run"'],
  ['apply', 'unknown command "apply"', 'write "chrootfile run"'],
  ['up', 'unknown command "up"', 'write "chrootfile run"'],
  ['bake', 'unknown command "bake"', 'write "chrootfile run"'],
  ['validate r.yml', 'unknown command "validate"', 'write "chrootfile check"'],
  ['lint r.yml', 'unknown command "lint"', 'write "chrootfile check"'],
  ['test', 'unknown command "test"', 'write "chrootfile check"'],
  ['fmt', 'unknown command "fmt"', 'chrootfile has no formatter; any YAML formatter works. "chrootfile check" validates recipes'],
  ['ls', 'unknown command "ls"', 'write "chrootfile list"'],
  ['show', 'unknown command "show"', 'write "chrootfile list"'],
  ['ps', 'unknown command "ps"', 'write "chrootfile runs"'],
  ['status', 'unknown command "status"', 'write "chrootfile runs"'],
  ['rm 2026', 'unknown command "rm"', 'write "chrootfile destroy RUN"'],
  ['delete', 'unknown command "delete"', 'write "chrootfile destroy RUN"'],
  ['down', 'unknown command "down"', 'write "chrootfile destroy RUN"'],
  ['rollback', 'unknown command "rollback"', 'write "chrootfile undo RUN"'],
  ['clean', 'unknown command "clean"', 'write "chrootfile undo --all"'],
  ['resume', 'unknown command "resume"', 'write "chrootfile run --resume"'],
  ['debug', 'unknown command "debug"', 'write "chrootfile run --on-failure shell"'],
  ['new', 'unknown command "new"', 'write "chrootfile init"'],
  ['version', 'unknown command "version"', 'write "chrootfile --version"'],
  ['preview', 'unknown command "preview"', 'write "chrootfile plan"'],
  ['types', 'unknown command "types"', 'write "chrootfile kinds"'],
  ['destory', 'unknown command "destory"', 'did you mean "destroy"?'],
  ['udno', 'unknown command "udno"', 'did you mean "undo"?'],
  ['gcc', 'unknown command "gcc"', '"chrootfile --help" lists the commands; "chrootfile run gcc" runs a task'],
  ['r.yml', 'unknown command "r.yml"', 'write "chrootfile run r.yml"'],
  ['image', 'unknown command "image"', '"chrootfile --help" lists the commands; "chrootfile run image" runs a task'],
  ['run r.yml --jbos 2', 'unknown option "--jbos"', 'did you mean "--jobs"?'],
  ['run r.yml -j many', 'invalid value "many" for -j, --jobs <n>', 'write a whole number of at least 1'],
  ['run r.yml -j', 'option -j, --jobs <n> needs a value', 'chrootfile run --help'],
  ['run r.yml -j 0', 'invalid value "0" for -j, --jobs <n>', 'write a whole number of at least 1'],
  ['run r.yml -var size=8', 'unknown option "-var"', 'write -i NAME=VALUE'],
  ['run r.yml --var-file x.json', 'unknown option "--var-file"', 'write --inputs FILE'],
  ['run r.yml -only=image', 'unknown option "-only"', 'write the tasks after the recipe, e.g. chrootfile run base.yml image'],
  ['run r.yml --target image', 'unknown option "--target"', 'write the tasks after the recipe, e.g. chrootfile run base.yml image'],
  ['run -f r.yml --file r.yml', 'unknown option "--file"', 'write the recipe without an option, e.g. chrootfile run base.yml'],
  ['run r.yml -on-error=ask', 'unknown option "-on-error"', 'write --on-failure WHAT'],
  ['run r.yml --on-failure abort', 'invalid value "abort" for --on-failure <what>', 'write one of undo, keep, ask, shell'],
  ['run r.yml -machine-readable', 'unknown option "-machine-readable"', 'write --format json'],
  ['run r.yml --auto-approve', 'unknown option "--auto-approve"', 'remove it; chrootfile does not ask'],
  ['run r.yml --check', 'unknown option "--check"', 'write --dry-run'],
  ['run r.yml --timeout soon', 'invalid value "soon" for --timeout <duration>', 'write a duration of at most 24 days, such as 90s, 20m or 1h30m'],
  ['run r.yml --timeout 30m1h', 'invalid value "30m1h" for --timeout <duration>', 'write a duration of at most 24 days, such as 90s, 20m or 1h30m'],
  ['run r.yml --log-limit 5', 'invalid value "5" for --log-limit <size>', 'write a size such as 10M, 50G or 1T'],
  ['run r.yml --format yaml', 'invalid value "yaml" for --format <format>', 'write one of auto, plain, json'],
  ['run r.yml --cloud azure', 'invalid value "azure" for --cloud <provider>', 'write one of local, aws'],
  ['run r.yml --ignore-errors', 'unknown option "--ignore-errors"', 'write --keep-going'],
  ['run --resume', 'option --resume <run> needs a value', 'chrootfile run --help'],
  ['check --json r.yml', 'unknown option "--json"', 'write --format json'],
  ['list r.yml a', 'unexpected argument "a"', 'usage: chrootfile list [options] [file]'],
  ['completion', 'missing argument <shell>', 'usage: chrootfile completion [options] <shell>'],
  ['completion tcsh', 'invalid value "tcsh" for <shell>', 'write one of bash, zsh, fish'],
  ['plan r.yml --graph', 'unknown option "--graph"', 'chrootfile plan --help'],
  ['graph r.yml --format svg', 'invalid value "svg" for --format <format>', 'write one of text, mermaid, dot'],
  ['destroy', 'missing argument <run>', 'usage: chrootfile destroy [options] <run>'],
  ['local delete ami-1', 'unknown command "local delete"', 'write "chrootfile local rm"'],
  ['local rset', 'unknown command "local rset"', 'chrootfile local --help'],
  ['local export', 'missing argument <image>', 'usage: chrootfile local export [options] <image> <file>'],
  ['-C', 'option -C needs a folder', 'e.g. chrootfile -C images run'],
  ['-C nowhere run', 'cannot enter nowhere: there is no such folder', '-C names the folder to start in'],
  ['-v', 'unknown option "-v"', 'write --version'],
  ['--verbose run r.yml', 'unknown option "--verbose"', 'chrootfile --help'],
];

suite('the command line', (test) => {
  test(`${mistakes.length} mistakes each give an error, help and exit code 2`, () =>
    inFolder({ 'r.yml': recipe }, async (folder) => {
      for (const [line, error, help] of mistakes) {
        const { code, stdout, stderr } = await run(line.split(' '), { folder });
        assert.equal([code, stdout, stderr], [2, '', `error: ${error}\n  help: ${help}\n`], line);
      }
    }));

  test('help is no mistake: exit 0, on standard output', () =>
    inFolder({}, async (folder) => {
      for (const [line, first] of [
        ['help', 'Usage: chrootfile [options] [command]'],
        ['--help', 'Usage: chrootfile [options] [command]'],
        ['help run', 'Usage: chrootfile run [options] [words...] [-- arguments...]'],
        ['local help reset', 'Usage: chrootfile local reset [options]'],
        ['help local', 'Usage: chrootfile local [options] [command]'],
      ] as const) {
        const { code, stdout, stderr } = await run(line.split(' '), { folder });
        assert.equal([code, stdout.split('\n')[0], stderr], [0, first, ''], line);
      }
    }));

  test('help prints no default of switches and lists', () =>
    inFolder({}, async (folder) => {
      const { stdout } = await run(['run', '--help'], { folder });
      assert.match(stdout, /^ {2}-q, --quiet +print only errors and outputs$/m);
      assert.match(stdout, /^ {2}-i, --input <name=value> +set an input; can be repeated$/m);
      assert.match(stdout, /\(default: number of CPUs\)/);
    }));

  test('-C starts in another folder, before the verb and after it', () =>
    inFolder({ 'sub/chrootfile.yml': recipe, 'other/r.yml': recipe }, async (folder) => {
      assert.is((await run(['-C', 'sub', 'check'], { folder })).stdout, 'chrootfile.yml: ok, 1 task\n');
      assert.is((await run(['check', '-Cother', 'r.yml'], { folder })).stdout, 'r.yml: ok, 1 task\n');
      assert.is((await run(['-C', 'sub', '-C', '../other', 'check', 'r.yml'], { folder })).stdout, 'r.yml: ok, 1 task\n');
      assert.is((await run(['-C', 'sub', 'run', '--format', 'json'], { folder })).code, 0);
      assert.match((await run(['complete', '--', '-C', 'sub', 'run', ''], { folder })).stdout, /^image\t/m);
    }));

  test('without a recipe, the nearest chrootfile.yml above is used', () =>
    inFolder({ 'chrootfile.yml': recipe }, async (folder) => {
      const deep = join(folder, 'a/b');
      mkdirSync(deep, { recursive: true });
      chmodSync(folder, 0o755);
      assert.is((await run(['check'], { folder: deep })).stdout, '../../chrootfile.yml: ok, 1 task\n');
      assert.match((await run(['plan', 'image'], { folder: deep })).stdout, /^..\/..\/chrootfile.yml: /);
      assert.match((await run(['list'], { folder: deep })).stdout, /^image +run/m);
      assert.is((await run(['-C', 'a', 'check'], { folder })).stdout, '../chrootfile.yml: ok, 1 task\n');
    }));

  test('one above that others could have written is not used, and the error says why', () =>
    inFolder({ 'chrootfile.yml': recipe, 'linked/real.yml': recipe }, async (folder) => {
      const deep = join(folder, 'a');
      const file = join(folder, 'chrootfile.yml');
      mkdirSync(deep);
      const refused = async (why: string, at = file, where = deep) => {
        const { code, stderr } = await run(['check'], { folder: where });
        const help = 'name the recipe to use it anyway';
        assert.equal([code, stderr], [2, `error: there is no chrootfile.yml in this folder, and ${at} is not used: ${why}\n  help: ${help}\n`]);
      };
      chmodSync(folder, 0o777);
      await refused(`others may write to ${folder}`);
      chmodSync(folder, 0o755);
      chmodSync(file, 0o664);
      await refused(`others may write to ${file}`);
      chmodSync(file, 0o644);
      chownSync(file, 65534, 65534);
      await refused(`${file} belongs to another user (uid 65534)`);
      assert.is((await run(['check', '../chrootfile.yml'], { folder: deep })).code, 0);
      // Whoever calls this by sudo is no other user.
      assert.is((await run(['check'], { folder: deep, env: { SUDO_UID: '65534' } })).code, 0);
      const linked = join(folder, 'linked');
      mkdirSync(join(linked, 'deep'));
      chownSync(join(linked, 'real.yml'), 65534, 65534);
      symlinkSync('real.yml', join(linked, 'chrootfile.yml'));
      await refused(`${join(linked, 'real.yml')} belongs to another user (uid 65534)`, join(linked, 'chrootfile.yml'), join(linked, 'deep'));
    }));
});
