import * as assert from 'uvu/assert';
import { EvaluationContext } from '../../src/runtime/engine/evaluation_context.js';
import { PreparedScript } from '../../src/runtime/engine/prepared_script.js';
import { Redactor } from '../../src/runtime/output/redactor.js';
import { RunFolder } from '../../src/runtime/runs/run_folder.js';
import { inFolder } from '../support/folder.js';
import { plan } from '../support/plan.js';
import { run } from '../support/program.js';
import { suite } from '../support/suite.js';

/** Inputs that count how often each was read. */
class CountedInputs extends Map<string, unknown> {
  readonly reads = new Map<string, number>();

  override get(name: string): unknown {
    this.reads.set(name, (this.reads.get(name) ?? 0) + 1);
    return super.get(name);
  }
}

suite('a task is prepared', (test) => {
  test('once: for its checks, its note, a shell and every attempt', () => {
    const names = ['if', 'env', 'own', 'dir', 'sh', 'message', 'source', 'made', 'status', 'script', 'undo'];
    const text = `
inputs: {${names.map((name) => `${name}_: {type: string}`).join(', ')}}
env: {EVERY: "{{ inputs.env_ }}"}
tasks:
  task:
    if: "{{ eq inputs.if_ 'yes' }}"
    env: {OWN: "{{ inputs.own_ }}"}
    dir: "{{ inputs.dir_ }}"
    preconditions: [{sh: "{{ inputs.sh_ }}", message: "{{ inputs.message_ }}"}]
    sources: ["{{ inputs.source_ }}"]
    generates: ["{{ inputs.made_ }}"]
    status: ["{{ inputs.status_ }}"]
    run: "{{ inputs.script_ }}"
    undo: {run: "{{ inputs.undo_ }}"}
`;
    const inputs = new CountedInputs(names.map((name) => [`${name}_`, name === 'if' ? 'yes' : `/${name}`]));
    const task = plan({ 'r.yml': text }).tasks.get('task');
    assert.ok(task?.task.action.type === 'run');
    const facts = new EvaluationContext(inputs, {}, new Redactor(), { folder: new RunFolder('/nowhere', 'run'), started: new Date(0), words: [] });
    const prepared = new PreparedScript(task, facts, task.task.action);
    assert.equal([...inputs.reads], [], 'nothing before it is asked for');
    const all = () => [
      ...[prepared.condition(), prepared.script(), prepared.variables(), prepared.undo(), prepared.place(), prepared.shellPlace()],
      ...prepared.preconditions().flatMap(({ command, message }) => [command(), message?.()]),
      ...[prepared.sources(), prepared.generates(), ...prepared.status().map((command) => command())],
    ];
    const first = all();
    const twice = ['env_', 'own_', 'undo_'];
    assert.equal(
      Object.fromEntries(inputs.reads),
      Object.fromEntries(names.map((name) => [`${name}_`, twice.includes(`${name}_`) ? 2 : 1])),
      'what the undo reads is rendered for this run and sealed for later ones',
    );
    const reads = [...inputs.reads];
    assert.equal(all(), first);
    assert.equal([...inputs.reads], reads);
  });

  test('no further than it runs: what only its work reads need not have a value where a check ends it', () =>
    inFolder(
      {
        'chrootfile.yml': `version: 1
inputs: {map: {type: map, default: {a: 1}}}
tasks:
  skipped: {if: false, run: "true", outputs: {id: {}}}
  kind:
    uses: ec2.volume
    with: {size: "{{ skipped.id }}", snapshot_id: "{{ inputs.map.b }}"}
    preconditions: [{sh: "false", message: there is no image}]
  fresh: {run: "echo {{ inputs.map.b }}", status: ["true"]}
  well: {run: "echo ran", preconditions: [{sh: "true", message: "{{ inputs.map.b }}"}]}
  guarded: {run: "true", preconditions: [{sh: "false", message: give b}, {sh: "test {{ inputs.map.b }}"}]}
  first: {run: "echo ran", sources: [chrootfile.yml], generates: ["{{ inputs.map.a }}"], status: ["test {{ inputs.map.b }}"]}
`,
      },
      async (folder) => {
        const { code, stdout, stderr } = await run(['run', '--keep-going'], { folder });
        assert.is(code, 1);
        assert.match(stderr, 'precondition not met: there is no image');
        assert.match(stderr, 'precondition not met: give b');
        assert.match(stdout, 'well | ran');
        assert.match(stdout, 'first | ran');
        assert.match(stdout, 'fresh up to date: ');
        assert.not.match(stdout + stderr, 'unknown key "b"');
      },
    ));
});
