import * as assert from 'uvu/assert';
import { buildOn, mustBeSent, withDirect, withTiny } from '../support/direct_runs.js';
import { suite } from '../support/suite.js';

suite('direct layers', (test) => {
  test(
    'a build starts from the layer of an earlier one, and still sends only the difference to the base',
    () =>
      withTiny(async (direct) => {
        const cached = (last: string) =>
          `cache: {}\n${buildOn('one').replace('  keep:\n', `  more: {needs: [write], cache: {layer: true}, run: "date +%N > {{ root.path }}/more"}\n  last: {needs: [more], run: "echo ${last} > {{ root.path }}/last"}\n  keep:\n`).replace('needs: [write, root', 'needs: [last, root')}`;
        const first = await direct.run(cached('one'));
        mustBeSent(direct, first);
        const [read, sent] = [direct.count('GetSnapshotBlock'), direct.count('PutSnapshotBlock')];
        const second = await direct.run(cached('two'));
        mustBeSent(direct, second);
        assert.equal(
          second.nodes.filter((node) => /^(write|more|last) /.test(node)),
          ['write cached', 'more cached', 'last succeeded'],
        );
        assert.is(direct.count('GetSnapshotBlock'), read);
        assert.ok(direct.count('PutSnapshotBlock') - sent < read / 2);
      }),
    60_000,
  );

  test(
    'an empty volume becomes an image without a parent',
    () =>
      withDirect(async (direct) => {
        const scratch = buildOn('one', '', '{size: 1')
          .replace(/ {2}source: .*\n/, '')
          .replace('{uses: disk.root, with: {device: "{{ disk.device }}"}}', '{uses: disk.filesystem, with: {device: "{{ disk.device }}", type: ext4}}');
        mustBeSent(direct, await direct.run(scratch));
        assert.equal([direct.count('GetSnapshotBlock'), direct.count('ListSnapshotBlocks')], [0, 0]);
      }),
    60_000,
  );
});
