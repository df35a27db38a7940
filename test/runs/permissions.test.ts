import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { KindDeclaration } from '../../src/dsl/recipe/kind.js';
import { kinds } from '../../src/tasks/index.js';
import { library, misbehaving, recordsOf } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { repository, run } from '../support/program.js';
import { type RunResult, runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

const declared = new Map(kinds.map((kind: KindDeclaration) => [kind.name, kind.permissions ?? {}]));

/** The calls that kinds declare, by the names of the parameters given. */
function mayCall(used: Readonly<Record<string, readonly string[]>>): Set<string> {
  const actions = Object.entries(used).flatMap(([kind, params]) => ['always', ...params].flatMap((when) => declared.get(kind)?.[when] ?? []));
  return new Set(actions.filter((action) => action.startsWith('ec2:')).map((action) => action.slice(4)));
}

/** What is done in the answer is not asked for again. */
const slow = { 'slow.json': '{"volume": 200, "attach": 200, "detach": 200}' };
const slowIn = (folder: string) => ({ CHROOTFILE_LOCAL_LATENCY: join(folder, 'slow.json') });

function called({ events }: RunResult): string[] {
  return Object.keys((events.at(-1) as { ec2: { calls: object } }).ec2.calls);
}

suite('permissions', (test) => {
  test(
    'what the kinds declare is what runs call: nothing more on the way from image to image, and nothing less',
    () =>
      inFolder(slow, async (folder) => {
        assert.is((await run(['run', join(repository, 'test/fixtures/tiny.yml')], { folder })).code, 0);
        // Its UEFI variables are asked for.
        const [image] = recordsOf(folder, 'local-1', 'images');
        writeFileSync(join(folder, 'state/local/local-1/images', `${image?.['id']}.json`), JSON.stringify({ ...image, bootMode: 'uefi' }));
        const recipe = `includes: {ami: {recipe: ${join(repository, 'recipes/lib/image_from_image.yml')}, with: {source_filters: {name: "tiny-*"}, name: next}}}
tasks: {a: {in: ami.chroot, run: "true"}, b: {needs: [ami.image], run: exit 3}}
`;
        const ran = await runRecipe(folder, recipe, [], slowIn(folder));
        assert.is(ran.code, 1);
        const base = mayCall({ 'ec2.source_image': [], 'ec2.volume': [], 'ec2.attachment': [], 'ec2.snapshot': [], 'ec2.image': [] });
        // Tags are given with the call that makes the thing.
        base.delete('CreateTags');
        assert.equal(called(ran).sort(), [...base].sort());
      }),
    30_000,
  );

  test(
    'with all the library can do, too',
    () =>
      inFolder(slow, async (folder) => {
        assert.is((await run(['run', join(repository, 'test/fixtures/tiny.yml')], { folder })).code, 0);
        const recipe = (more: string) => `includes:
  ami:
    recipe: ${library}
    with: {source_ami_filter: {name: "tiny-*"}, most_recent: true, ami_name: next, ami_regions: [local-2], dry_run: false, boot_mode: uefi, ${more}}
tasks: {a: {in: ami.chroot, run: "true"}, b: {needs: [ami.share], run: "exit {{ inputs.code }}"}}
inputs: {code: {type: integer, default: 0}}
outputs: {id: "{{ ami.image_id }}"}
`;
        const shared = 'ami_users: ["123456789012"], snapshot_users: ["123456789012"], deprecate_at: "2030-01-01T00:00:00Z"';
        const first = await runRecipe(folder, recipe(shared), [], slowIn(folder));
        assert.is(first.code, 0, first.ended.stdout);
        const force = `${shared}, deregistration_protection: enabled, force_deregister: true, force_delete_snapshot: true`;
        const second = await runRecipe(folder, recipe(force), ['-i', 'code=3']);
        assert.is(second.code, 1, second.ended.stdout);
        // Once more from an image with UEFI, which may have variables of it.
        const third = await runRecipe(folder, recipe(`${shared}, force_deregister: true`));
        assert.is(third.code, 0, third.ended.stdout);
        const sharing = ['users', 'snapshot_users', 'deprecate_at', 'deregistration_protection', 'force_delete_snapshot'];
        const forcing = ['force_deregister'];
        const may = mayCall({
          ...{ 'ec2.source_image': [], 'ec2.preflight': [], 'ec2.volume': [], 'ec2.attachment': [], 'ec2.snapshot': [] },
          ...{ 'ec2.image': forcing, 'ec2.copy': forcing, 'ec2.image_attributes': sharing },
        });
        // CreateTags: runs that succeed mark what they keep.
        assert.equal([...new Set([...called(first), ...called(second), ...called(third)])].sort(), [...may].sort());
      }),
    60_000,
  );

  test(
    'without one that is only for undo, what it could not take back is told, and goes once it may',
    () =>
      inFolder({}, async (folder) => {
        const recipe =
          'tasks:\n  v: {uses: ec2.volume, with: {size: 1}}\n  s: {uses: ec2.snapshot, with: {volume: "{{ v.id }}"}}\n  b: {needs: [s], run: exit 3}\n';
        const ran = await runRecipe(folder, recipe, [], misbehaving(folder, [{ action: 'DeleteSnapshot', fault: 'denied' }]));
        assert.is(ran.code, 5);
        assert.match(ran.left[0]?.error ?? '', /help: the permission ec2:DeleteSnapshot is missing/);
        assert.is((await run(['undo', '--all'], { folder })).code, 0);
      }),
    40_000,
  );
});
