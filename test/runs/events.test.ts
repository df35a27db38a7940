import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as assert from 'uvu/assert';
import type { EventJson } from '../../src/cli/schemas/events.js';
import type { RunEvent } from '../../src/runtime/engine/events.js';
import { inFolder } from '../support/folder.js';
import { repository, run, start } from '../support/program.js';
import { suite } from '../support/suite.js';

/** A type as JSON has it: nothing is readonly, and what is undefined is absent. */
type Plain<T> = T extends object ? { -readonly [K in keyof T]: Plain<Exclude<T[K], undefined>> } : T;
type Ran = Exclude<EventJson, { type: 'recipe.invalid' }>;
type IsSame<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
/** The schema has exactly the events of the program. */
const agree: IsSame<Ran['type'], RunEvent['type']> = true;
const asJson = (event: Plain<RunEvent>): Ran => ({ time: '', ...event });
const asEvent = (event: Ran): Plain<RunEvent> => event;

const validate = new Ajv2020({ strict: false, discriminator: false }).compile(
  JSON.parse(readFileSync(join(repository, 'schemas/events.schema.json'), 'utf8')) as object,
);

/** The events in a text of lines. Each must fit the schema. */
function eventsIn(text: string): EventJson[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const event = JSON.parse(line) as EventJson;
      assert.ok(validate(event), `${line}\n${JSON.stringify(validate.errors)}`);
      return event;
    });
}

/** The events that are kept of the only run in a folder. */
function keptIn(folder: string): EventJson[] {
  const [id = ''] = readdirSync(join(folder, 'state/runs'));
  return eventsIn(readFileSync(join(folder, 'state/runs', id, 'events.jsonl'), 'utf8'));
}

const types = (events: readonly EventJson[]) => [...new Set(events.map(({ type }) => type))].sort();

const recipe = (last: string) => `version: 1
name: r
tasks:
  volume: {uses: ec2.volume, with: {size: 1}, description: a volume}
  again: {retries: {limit: 1, delay: 1ms}, run: "test -e tried || { touch tried; exit 1; }"}
  left: {run: "sleep 60 & echo left"}
  maybe: {if: false, run: "true"}
  ignored: {continue_on_error: true, run: "exit 1"}
  made: {run: "touch made", sources: [r.yml], generates: [made]}
  last: {needs: [volume, again, left, maybe, ignored, made], run: ${JSON.stringify(last)}}
outputs: {id: "{{ volume.id }}"}
`;

suite('events', (test) => {
  test('their schema and their type agree', () => {
    assert.ok(agree && asEvent(asJson({ type: 'warning', message: '' })));
  });

  test('of a run that succeeds fit the schema; the first has the version, and the log has all but output', () =>
    inFolder({ 'r.yml': recipe('true') }, async (folder) => {
      const printed = eventsIn((await run(['run', 'r.yml', '--format', 'json'], { folder })).stdout);
      const [first] = printed;
      assert.equal([first?.type, first?.type === 'run.started' && first.version, printed.at(-1)?.type], ['run.started', 1, 'run.finished']);
      assert.equal(types(printed), [
        'run.finished',
        'run.started',
        'task.checking',
        'task.finished',
        'task.left_behind',
        'task.output',
        'task.retrying',
        'task.started',
      ]);
      assert.equal(
        types(keptIn(folder)),
        types(printed).filter((type) => type !== 'task.output'),
      );
    }));

  test('of a run that fails, is kept, resumed and undone fit the schema', () =>
    inFolder({ 'r.yml': recipe('exit 3') }, async (folder) => {
      const resumed = await run(['run', 'r.yml', '--format', 'json', '--on-failure', 'keep'], { folder });
      const last = eventsIn(resumed.stdout).at(-1);
      assert.ok(last?.type === 'run.finished' && last.kept && last.left.length > 0);
      const [id = ''] = readdirSync(join(folder, 'state/runs'));
      const again = eventsIn((await run(['run', '--resume', id, '--format', 'json', '--on-failure', 'keep'], { folder })).stdout);
      assert.ok(again[0]?.type === 'run.started' && again[0].done > 0);
      assert.is((await run(['undo', id], { folder })).code, 0);
      assert.equal(types(keptIn(folder)), [
        'run.finished',
        'run.started',
        'task.checking',
        'task.finished',
        'task.left_behind',
        'task.retrying',
        'task.started',
        'undo.entry',
      ]);
    }));

  test('of a run that is interrupted fit the schema', () =>
    inFolder({ 'r.yml': recipe('echo ready; sleep 60') }, async (folder) => {
      const started = start(['run', 'r.yml', '--format', 'json'], { folder });
      await started.saw('ready');
      started.child.kill('SIGINT');
      const events = eventsIn((await started.ended).stdout);
      for (const type of ['run.interrupted', 'undo.started', 'undo.entry'] as const) assert.ok(types(events).includes(type), type);
    }));

  test('of a recipe with errors is one, with the version and the errors', () =>
    inFolder(
      { 'r.yml': 'version: 1\nincludes: {lib: {recipe: lib.yml}}\ntasks: {a: {rnu: x}}\n', 'lib.yml': 'version: 1\ntasks: {b: {needs: [c]}}\n' },
      async (folder) => {
        const [event, ...more] = eventsIn((await run(['run', 'r.yml', '--format', 'json'], { folder })).stdout);
        assert.equal([event?.type, more.length], ['recipe.invalid', 0]);
      },
    ));
});
