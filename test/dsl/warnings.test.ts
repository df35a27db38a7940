import * as assert from 'uvu/assert';
import { loadRecipe } from '../../src/cli/recipe_file.js';
import { makePlan } from '../../src/dsl/plan/plan.js';
import { inFolder } from '../support/folder.js';
import { suite } from '../support/suite.js';

/** The codes of the warnings for a recipe with one task. */
function codesFor(run: string, more = ''): Promise<string[]> {
  return inFolder({ 'r.yml': `version: 1\n${more}tasks:\n  a:\n    run: ${run}\n` }, (folder) => {
    const { module, tasks } = loadRecipe(`${folder}/r.yml`);
    return makePlan(module, tasks, []).warnings.map(({ code }) => code);
  });
}

/** A script of these lines after `>`. */
const folded = (...lines: string[]) => `>\n${lines.map((line) => `      ${line}`).join('\n')}`;

suite('warnings', (test) => {
  test('one long command after ">" is none, however its lines begin', async () => {
    for (const lines of [
      ['docker run', '--rm', '--volume /srv:/srv', 'debian:13', 'echo hi'],
      ['docker run --rm debian:13', 'mkdir -p /srv'],
      ['sudo', 'cp a b'],
      ['ssh host', 'systemctl restart nginx'],
      ['curl -fsSL', '-o /tmp/x', 'echo x'],
      ['find /srv -type f -exec', 'chmod 644 {} +'],
      ['ls | xargs -n1', 'rm -f'],
      ['echo "this is the text', 'for the reader', 'if any" > /etc/motd'],
      ['echo this is', 'for the reader'],
      ['apt-get install -y', 'nginx', 'apt-get'],
      ['mkdir -p x', '&& cd x', '&& touch y'],
      ['for f in a b; do', 'echo $f;', 'done'],
      ['echo this is', 'if you read it'],
    ])
      assert.equal(await codesFor(folded(...lines)), [], lines.join(' / '));
  });

  test('several commands after ">" are one', async () => {
    for (const lines of [
      ['apt-get update', 'apt-get install -y nginx'],
      ['set -e', 'mkdir -p /srv/www'],
      ['cd /srv', 'make install', 'rm -rf build'],
    ])
      assert.equal(await codesFor(folded(...lines)), ['folded-script'], lines.join(' / '));
  });

  test('single braces are a mistake only around a name that the recipe has, standing alone', async () => {
    assert.equal(await codesFor('kubectl get cm -o jsonpath={vars.x}'), []);
    assert.equal(await codesFor('echo {vars.x}'), []);
    const vars = 'vars: {x: y}\n';
    assert.equal(await codesFor('kubectl get cm -o jsonpath={vars.x}', vars), []);
    assert.equal(await codesFor('kubectl get cm -o jsonpath="{.data}{vars.x}"', vars), []);
    assert.equal(await codesFor('"python3 -c \\"print(f\'{vars.x}\')\\""', vars), []);
    assert.equal(await codesFor('echo {vars.x}', vars), ['foreign-syntax']);
    assert.equal(await codesFor('"echo { vars.x }"', vars), ['foreign-syntax']);
  });

  test('a variable of the shell is none that the recipe reads from the environment', async () => {
    assert.equal(await codesFor('echo "$VERSION"', 'inputs: {version: {type: string}}\nvars: {v: "{{ default env.VERSION 1 }}"}\n'), []);
    assert.equal(await codesFor('echo "$VERSION"', 'inputs: {version: {type: string}}\n'), ['shell-variable']);
  });

  test('a long dash in the text of echo is text', async () => {
    assert.equal(await codesFor('echo done —with it'), []);
    assert.equal(await codesFor('echo done; apt-get install –y nginx'), ['typography']);
  });
});
