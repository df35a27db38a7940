import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parseDocument } from 'yaml';
import { inFolder } from './support/folder.js';
import { repository, run } from './support/program.js';
import { suite } from './support/suite.js';

const page = readFileSync(join(repository, 'docs/ci.md'), 'utf8');
const workflows = [...page.matchAll(/```yml\n([\s\S]*?)```/g)].map(([, text = '']) => parseDocument(text));

suite('the CI page', (test) => {
  test('has workflows that are YAML, and each job has its steps', () => {
    assert.is(workflows.length, 4);
    for (const workflow of workflows) assert.equal([...workflow.errors, ...workflow.warnings], []);
    for (const workflow of [0, 2, 3].map((i) => workflows[i])) {
      const { jobs } = (workflow as (typeof workflows)[number]).toJS() as { jobs: Record<string, { 'runs-on': unknown; steps: Record<string, unknown>[] }> };
      for (const job of Object.values(jobs)) {
        assert.ok(job['runs-on'] !== undefined);
        for (const step of job.steps) assert.is(['run', 'uses'].filter((key) => key in step).length, 1, JSON.stringify(step));
      }
    }
  });

  test('uses verbs and options that exist', () =>
    inFolder({}, async (folder) => {
      const commands = [...page.matchAll(/\bchrootfile ((?:local |runs )?[a-z]+)\b([^\n`|]*)/g)].filter(([, , rest = '']) => !rest.startsWith(' builds'));
      const used = new Map<string, Set<string>>();
      for (const [, verb = '', rest = ''] of commands) {
        if (!/^(?:(?:local|runs) )?(?:run|check|plan|doctor|logs|undo|export|prune|runs|destroy|gc|du|rm|images)$/.test(verb)) continue;
        used.set(verb, new Set([...(used.get(verb) ?? []), ...(rest.match(/ --[a-z-]+/g) ?? []).map((option) => option.trim())]));
      }
      assert.ok(used.size >= 13, [...used.keys()].join());
      for (const [verb, options] of used) {
        const help = await run([...verb.split(' '), '--help'], { folder });
        assert.is(help.code, 0, verb);
        for (const option of options) assert.match(help.stdout, option, verb);
      }
    }));
});
