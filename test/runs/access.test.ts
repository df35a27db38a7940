import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { openEc2 } from '../../src/aws/client.js';
import { credentialsOf } from '../../src/aws/credentials.js';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import type { AssumedRole } from '../../src/dsl/recipe/types.js';
import { base, misbehaving, pipeline, recordsOf } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { runRecipe } from '../support/recipe.js';
import { suite } from '../support/suite.js';

/** Runs something with other variables of the environment, and puts them back. */
async function withEnvironment<T>(variables: Readonly<Record<string, string | undefined>>, body: () => Promise<T>): Promise<T> {
  const before = { ...process.env };
  const set = (all: Readonly<Record<string, string | undefined>>) => {
    for (const [name, value] of Object.entries(all)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  set(variables);
  try {
    return await body();
  } finally {
    for (const name of Object.keys(process.env)) if (!Object.hasOwn(before, name)) delete process.env[name];
    set(before);
  }
}

/** No credentials and no region, from wherever. */
const nothing = {
  ...Object.fromEntries(
    ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE', 'AWS_REGION', 'AWS_DEFAULT_REGION'].map((n) => [n, undefined]),
  ),
  AWS_CONFIG_FILE: '/nonexistent',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
  // Nobody listens there.
  AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:9',
};

suite('access to EC2', (test) => {
  test('a role is taken on: what is made belongs to its account; a device is asked for its code', () =>
    inFolder({}, async (folder) => {
      const cloud = (more = '') => `cloud: {provider: local, assume_role: {role_arn: "arn:aws:iam::222222222222:role/images"${more}}}\n${base}`;
      const ran = await runRecipe(
        folder,
        cloud(', external_id: x, duration_seconds: 900, tags: {team: a}, transitive_tag_keys: [team], policy_arns: ["arn:aws:iam::aws:policy/x"]'),
      );
      assert.is(ran.code, 0, ran.ended.stdout);
      assert.equal(
        recordsOf(folder, 'local-1', 'images').map(({ owner }) => owner),
        ['222222222222'],
      );
      const mfa = ', mfa_serial: "arn:aws:iam::000000000000:mfa/me"';
      const asked = await runRecipe(folder, cloud(mfa));
      assert.is(asked.code, 1);
      assert.match(asked.errors['volume'] ?? '', /an MFA code of arn:aws:iam::000000000000:mfa\/me is required: set CHROOTFILE_MFA_CODE/);
      assert.is((await runRecipe(folder, cloud(mfa).replace('name: base', 'name: base2'), [], { CHROOTFILE_MFA_CODE: '123456' })).code, 0);
    }));

  test('the embedded EC2 accepts every setting of a role', () =>
    inFolder({}, async (folder) => {
      const role: Required<AssumedRole> = {
        role_arn: 'arn:aws:iam::222222222222:role/images',
        session_name: 'session',
        external_id: 'x',
        duration_seconds: 900,
        policy: '{"Version":"2012-10-17","Statement":[]}',
        policy_arns: ['arn:aws:iam::aws:policy/x', 'arn:aws:iam::aws:policy/y'],
        tags: { team: 'a', stage: 'b' },
        transitive_tag_keys: ['team', 'stage'],
        mfa_serial: 'arn:aws:iam::000000000000:mfa/me',
      };
      const handler = localEc2(folder, 'local-1').requestHandler as never;
      for (const setting of Object.entries(role)) {
        const assume_role = { role_arn: role.role_arn, ...Object.fromEntries([setting]) };
        const keys = credentialsOf({ provider: 'local', assume_role }, 'local-1', handler).provider();
        const said = await withEnvironment({ CHROOTFILE_MFA_CODE: '123456' }, () =>
          keys.then(
            ({ accessKeyId }) => accessKeyId,
            (error: Error) => error.message,
          ),
        );
        assert.is(said, '222222222222', setting[0]);
      }
    }));

  test('credentials come from the environment, by the old names too, and from a file', () =>
    inFolder({ keys: '[a]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n' }, async (folder) => {
      const keyOf = (cloud: object) =>
        credentialsOf({ provider: 'aws', ...cloud }, 'eu-west-1')
          .provider()
          .then(({ accessKeyId }) => accessKeyId);
      const old = { ...nothing, AWS_ACCESS_KEY: 'AKIAOLD', AWS_SECRET_KEY: 's' };
      assert.is(await withEnvironment(old, () => keyOf({})), 'AKIAOLD');
      assert.is(await withEnvironment({ ...old, AWS_ACCESS_KEY_ID: 'AKIANEW', AWS_SECRET_ACCESS_KEY: 's' }, () => keyOf({})), 'AKIANEW');
      assert.is(await withEnvironment(nothing, () => keyOf({ profile: 'a', credentials_file: join(folder, 'keys') })), 'AKIAFILE');
      const none = withEnvironment(nothing, () => keyOf({}));
      assert.match(await none.catch((error: Error) => error.message), /[Cc]redentials|providers/);
    }));

  test('the region is what the recipe says, else the environment, else the profile, else where this machine is', () =>
    inFolder({}, async (folder) => {
      writeFileSync(join(folder, 'config'), '[default]\nregion = eu-west-3\n[profile web]\nregion = eu-north-1\n');
      const regionOf = (more: object, cloud: object = {}) =>
        withEnvironment({ ...nothing, ...more }, async () => (await openEc2({ provider: 'aws', ...cloud })).region);
      const config = { AWS_CONFIG_FILE: join(folder, 'config') };
      assert.is(await regionOf({ ...config, AWS_REGION: 'eu-west-2' }, { region: 'eu-west-1' }), 'eu-west-1');
      assert.is(await regionOf({ ...config, AWS_REGION: 'eu-west-2' }), 'eu-west-2');
      assert.is(await regionOf(config), 'eu-west-3');
      assert.is(await regionOf(config, { profile: 'web' }), 'eu-north-1');
      const said = await regionOf({}).catch((error: Error) => error.message);
      assert.match(said, /no region is set: use "region" in "cloud", --region or AWS_REGION; the instance metadata service does not answer \(.*ECONNREFUSED/);
    }));

  test(
    'an EC2 that takes its time is waited for, and what it took is told',
    () =>
      inFolder({}, async (folder) => {
        const slow = misbehaving(folder, [], { call: 5, visible: 300, volume: 400, attach: 400, detach: 400, snapshot: 2500, image: 500, copy: 1500 });
        assert.is((await runRecipe(folder, base, [], slow)).code, 0);
        await new Promise((done) => setTimeout(done, 2_600));
        const ran = await runRecipe(folder, pipeline(), [], slow);
        assert.is(ran.code, 0, ran.ended.stdout);
        const { ec2 } = ran.events.at(-1) as { ec2: { calls: Record<string, number>; waited: Record<string, number> } };
        assert.ok((ec2.waited['snapshot'] ?? 0) >= 1.4, JSON.stringify(ec2));
        assert.ok((ec2.waited['image'] ?? 0) >= 2, JSON.stringify(ec2));
        assert.ok((ec2.calls['DescribeSnapshots'] ?? 0) < 10, 'delays grow');
      }),
    60_000,
  );
});
