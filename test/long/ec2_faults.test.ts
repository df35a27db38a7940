import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { faults } from '../../src/local/behaviour.js';
import { base, heldBy, misbehaving, pipeline } from '../support/ec2.js';
import { run, start } from '../support/program.js';
import { suite } from '../support/suite.js';

/** Every action the program uses, by where it is used first: on the way, or when what was made is taken back. */
const actions = {
  'on the way': [
    ...[
      'DescribeInstances',
      'DescribeImages',
      'DescribeRegions',
      'DescribeSnapshots',
      'DescribeVolumes',
      'DescribeImageAttribute',
      'GetEbsEncryptionByDefault',
    ],
    ...['CreateVolume', 'AttachVolume', 'DetachVolume', 'DeleteVolume', 'CreateSnapshot', 'RegisterImage', 'CopyImage'],
    ...['ModifyImageAttribute', 'ModifySnapshotAttribute', 'EnableImageDeprecation', 'EnableImageDeregistrationProtection'],
  ],
  'taking back': ['DeregisterImage', 'DeleteSnapshot', 'DisableImageDeregistrationProtection', 'DeleteVolume', 'DetachVolume'],
} as const;

/** Faults that pass, with how often they come; a permission does not come back by itself. */
const times = {
  denied: undefined,
  throttled: 3,
  limit: 1,
  unavailable: 2,
  'error-before': 2,
  'error-after': 1,
  'not-found': 2,
  'lost-before': 1,
  'lost-after': 1,
  expired: 1,
  slow: 1,
};

suite('faults of EC2', (test) => {
  test('every action, every fault: the run ends well or takes all back, and nothing is left in any region', async () => {
    const source = mkdtempSync(join(tmpdir(), 'chrootfile-test-'));
    try {
      const before = await prepare(source);
      const cases = Object.entries(actions).flatMap(([when, names]) => names.flatMap((action) => faults.map((fault) => ({ when, action, fault }))));
      const told: string[] = [];
      const waiting = [...cases];
      const worker = async () => {
        for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
          const said = await tryOne(source, before, one).catch((error: Error) => error.message);
          if (said !== undefined) told.push(`${one.action} ${one.fault} ${one.when}: ${said}`);
        }
      };
      await Promise.all(Array.from({ length: 6 }, worker));
      assert.equal(told, [], told.join('\n'));
      console.log(`${cases.length} cases`);
    } finally {
      rmSync(source, { recursive: true, force: true });
    }
  }, 1_200_000);
});

async function prepare(folder: string): Promise<string[]> {
  writeFileSync(join(folder, 'base.yml'), `version: 1\n${base}`);
  const made = await run(['run', 'base.yml'], { folder });
  assert.is(made.code, 0, made.stdout + made.stderr);
  return heldBy(folder);
}

/** Runs the pipeline with one fault; gives what is not as it should be. */
async function tryOne(
  source: string,
  before: readonly string[],
  { when, action, fault }: { when: string; action: string; fault: (typeof faults)[number] },
): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'chrootfile-test-'));
  try {
    mkdirSync(join(folder, 'state'));
    execFileSync('cp', ['-a', '--sparse=always', '--reflink=auto', join(source, 'state/local'), join(folder, 'state/local')]);
    const undoing = when === 'taking back';
    writeFileSync(join(folder, 'r.yml'), `version: 1\nname: r\n${pipeline(undoing ? '  boom: {needs: [share], run: exit 3}\n' : '')}`);
    const rule = { action, fault, ...(times[fault] === undefined ? {} : { times: times[fault] as number }) };
    // What is done in the answer is not asked for again.
    const env = misbehaving(folder, [rule], action === 'DescribeVolumes' ? { volume: 100, attach: 100, detach: 100 } : {});
    const { child, ended } = start(['run', 'r.yml'], { folder, env });
    const late = setTimeout(() => child.kill('SIGKILL'), 120_000);
    const ran = await ended;
    clearTimeout(late);
    const said = ran.stdout + ran.stderr;
    // A permission that is missing ends the run, and is named. Only in a describe call can "not found" be the truth.
    const mayFail = fault === 'denied' || undoing || (fault === 'not-found' && /^(Describe|Get)/.test(action));
    if (ran.code === 0) {
      if (undoing) return `exit 0\n${said}`;
      const images = [1, 2, 3].map((region) => heldBy(folder).filter((line) => line.startsWith(`local-${region} images next-`)).length);
      if (images.join() !== '1,1,1') return `not all images are there: ${heldBy(folder).join('; ')}`;
      const extra = heldBy(folder).filter((line) => / (volumes|disk) /.test(line));
      if (extra.length > 0) return `left: ${extra.join('; ')}`;
      return fault === 'denied' ? `exit 0 without the permission` : undefined;
    }
    if (!mayFail) return `exit ${ran.code}\n${said.slice(-1500)}`;
    if (fault === 'denied' && !said.includes(`the permission ec2:${action} is missing`)) return `the permission is not named:\n${said.slice(-1500)}`;
    // What could not be taken back is said, with what to type; and goes once it may.
    if (ran.code === 5) {
      if (!said.includes('aws ec2 ')) return `nothing to type is said:\n${said.slice(-1500)}`;
      const undone = await run(['undo', '--all'], { folder });
      if (undone.code !== 0) return `undo: exit ${undone.code}\n${undone.stdout}${undone.stderr}`;
    } else if (ran.code !== 1) return `exit ${ran.code}\n${said.slice(-1500)}`;
    const left = heldBy(folder).filter((line) => !before.includes(line));
    return left.length === 0 ? undefined : `exit ${ran.code}, and left: ${left.join('; ')}\n${said.slice(-1500)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
