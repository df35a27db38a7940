import { CreateTagsCommand, CreateVolumeCommand, DescribeVolumesCommand, EC2Client } from '@aws-sdk/client-ec2';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import { inFolder } from '../support/folder.js';
import { suite } from '../support/suite.js';

/** Looks for a volume with a tag of some text, by one value of a filter. */
async function withFinder(body: (found: (text: string, value: string) => Promise<boolean>, ec2: EC2Client) => Promise<void>): Promise<void> {
  await inFolder({}, async (folder) => {
    const ec2 = new EC2Client({
      region: 'local-1',
      endpoint: 'http://ec2.invalid',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      requestHandler: localEc2(folder, 'local-1').requestHandler as never,
      maxAttempts: 1,
    });
    const { VolumeId: volume = '' } = await ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'local-1a', Size: 1 }));
    await body(async (text, value) => {
      await ec2.send(new CreateTagsCommand({ Resources: [volume], Tags: [{ Key: 'text', Value: text }] }));
      const { Volumes: volumes } = await ec2.send(new DescribeVolumesCommand({ Filters: [{ Name: 'tag:text', Values: [value] }] }));
      return volumes?.length === 1;
    }, ec2);
  });
}

suite('filters of the embedded EC2', (test) => {
  test('`*` and `?` are wild, a backslash takes that from them', () =>
    withFinder(async (found) => {
      const cases: Readonly<Record<string, readonly [fits: readonly string[], fitsNot: readonly string[]]>> = {
        '': [[''], ['a']],
        '*': [['', 'a', 'a\nb'], []],
        '?': [
          ['a', '😀'],
          ['', 'ab'],
        ],
        'a*b?d*': [
          ['abcd', 'a--bxd', 'abbcd--'],
          ['abd', 'xabcd'],
        ],
        '*ab*ab*': [
          ['abab', 'aabab', 'ab-ab'],
          ['ab', 'aba'],
        ],
        // Source: EC2 User Guide, "List and filter using the CLI and API".
        '\\*amazon\\?\\\\': [['*amazon?\\'], ['xamazon?\\', '*amazonx\\']],
        'a\\b': [['a\\b'], ['ab']],
        'a\\': [['a\\'], ['a']],
        '[a-z].+(x|y)$': [['[a-z].+(x|y)$'], ['bbx']],
      };
      for (const [value, [fits, fitsNot]] of Object.entries(cases)) {
        for (const text of fits) assert.ok(await found(text, value), `${value} fits ${JSON.stringify(text)}`);
        for (const text of fitsNot) assert.not(await found(text, value), `${value} does not fit ${JSON.stringify(text)}`);
      }
    }));

  test(
    'a value with many wildcards is answered at once',
    () =>
      withFinder(async (found) => {
        const started = performance.now();
        assert.not(await found('a'.repeat(256), `${'*a'.repeat(7)}*b`));
        assert.not(await found('a'.repeat(256), `${'a*'.repeat(100)}b`));
        assert.not(await found('a'.repeat(256), `${'?*'.repeat(100_000)}b`));
        assert.ok(performance.now() - started < 1_000, `${performance.now() - started} ms`);
      }),
    5_000,
  );

  test('more filters or values than EC2 takes are refused', () =>
    withFinder(async (_, ec2) => {
      const codeOf = (filters: { Name: string; Values: string[] }[]) =>
        ec2.send(new DescribeVolumesCommand({ Filters: filters })).then(
          () => 'none',
          ({ name }: Error) => name,
        );
      const values = (count: number) => Array.from({ length: count }, (_, i) => `v${i}`);
      assert.is(await codeOf([{ Name: 'size', Values: values(200) }]), 'none');
      assert.is(await codeOf([{ Name: 'size', Values: values(201) }]), 'FilterLimitExceeded');
      assert.is(await codeOf(values(51).map((value) => ({ Name: 'size', Values: [value] }))), 'FilterLimitExceeded');
    }));
});
