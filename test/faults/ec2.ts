import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FaultRule, faults } from '../../src/local/fault_injection.js';
import { base, heldBy, misbehaving, pipeline } from '../support/ec2.js';
import { freshPlace, type Outcome, placeOf, preparedFolder, tidy } from './cases.js';
import { leftOnHost, lookAtHost } from './host.js';
import { type Ended, type Place, tail } from './place.js';
import type { Bench } from './pool.js';
import { pick } from './random.js';

/** Faults of EC2 in one run of a pipeline to three regions. */
export interface Ec2Case {
  readonly part: 'ec2';
  readonly rules: readonly FaultRule[];
  readonly variant: Variant;
}

/**
 * `forward`: the run should succeed. `backward`: its last task fails, so that the faults meet the undo.
 * `replacing`: older images of the same name give way.
 */
type Variant = 'forward' | 'backward' | 'replacing';

/** Actions the program uses on the way, and those it uses to undo. */
const onTheWay = [
  ...['DescribeInstances', 'DescribeImages', 'DescribeRegions', 'DescribeSnapshots', 'DescribeVolumes', 'DescribeImageAttribute'],
  ...['GetEbsEncryptionByDefault', 'CreateVolume', 'AttachVolume', 'DetachVolume', 'DeleteVolume', 'CreateSnapshot', 'RegisterImage', 'CopyImage'],
  ...['ModifyImageAttribute', 'ModifySnapshotAttribute', 'EnableImageDeprecation', 'EnableImageDeregistrationProtection'],
] as const;
const undoing = ['DeregisterImage', 'DeleteSnapshot', 'DisableImageDeregistrationProtection', 'DeleteVolume', 'DetachVolume'] as const;
const replacing = ['DescribeImages', 'RegisterImage', 'DeregisterImage', 'CopyImage', 'DescribeImageAttribute'] as const;

/** How often a fault comes; a permission does not come back by itself. Those that are not here come once. */
const timesOf: Readonly<Partial<Record<string, number>>> = { denied: Number.POSITIVE_INFINITY, throttled: 3, unavailable: 2, 'not-found': 2 };

/** Faults after which a run may fail: EC2 says no for good. */
const lasting: readonly string[] = ['denied', 'limit'];

/** Every action with every fault, and a sample of pairs of faults. */
export function ec2Cases(seed: number, pairs: number): Ec2Case[] {
  const single = (variant: Variant, actions: readonly string[]) =>
    actions.flatMap((action) => faults.map((fault): Ec2Case => ({ part: 'ec2', variant, rules: [ruleOf(action, fault)] })));
  const random = pick(seed);
  const pair = (): Ec2Case => {
    const variant = random(['forward', 'backward', 'replacing'] as const);
    const actions = variant === 'backward' ? [...onTheWay, ...undoing] : variant === 'replacing' ? [...onTheWay, ...replacing] : onTheWay;
    return { part: 'ec2', variant, rules: [0, 1].map(() => ({ ...ruleOf(random(actions), random(faults)), skip: random([0, 0, 1]) })) };
  };
  return [...single('forward', onTheWay), ...single('backward', undoing), ...single('replacing', replacing), ...Array.from({ length: pairs }, pair)];
}

/** What a case is called. */
export function titleOf({ rules, variant }: Ec2Case): string {
  return `ec2 ${variant} ${rules.map(({ action, fault, skip }) => `${action} ${fault}${skip ? ` after ${skip}` : ''}`).join(' and ')}`;
}

/** Makes the image that every case starts from, and the older images of the same name. */
export async function prepareEc2(bench: Bench): Promise<void> {
  const place = placeOf(bench, preparedFolder(bench, 'ec2'));
  place.write('base.yml', `version: 1\nname: base\n${base}`);
  await place.must(['run', 'base.yml']);
  place.write('older.yml', `version: 1\nname: older\n${older}`);
  const old = placeOf(bench, preparedFolder(bench, 'ec2-replacing'));
  mkdirSync(old.folder, { recursive: true });
  for (const [name, text] of [
    ['base.yml', base],
    ['older.yml', older],
  ] as const) {
    writeFileSync(join(old.folder, name), `version: 1\nname: ${name.replace('.yml', '')}\n${text}`);
    await old.must(['run', name]);
  }
}

const older = `tasks:
  volume: {uses: ec2.volume, with: {size: 1}}
  snapshot: {uses: ec2.snapshot, with: {volume: "{{ volume.id }}"}}
  image: {uses: ec2.image, with: {name: next, snapshot: "{{ snapshot.id }}"}}
  copies: {uses: ec2.copy, with: {image: "{{ image.id }}", regions: [local-2, local-3]}}
`;

/** Runs the pipeline with the faults of one case. */
export async function tryEc2(bench: Bench, one: Ec2Case): Promise<Outcome> {
  const started = Date.now();
  const host = lookAtHost();
  const place = freshPlace(bench, one.variant === 'replacing' ? 'ec2-replacing' : 'ec2');
  const before = heldBy(place.folder);
  place.write('recipe.yml', `version: 1\nname: pipeline\n${recipeOf(one.variant)}`);
  // What is done in the answer is not asked for again.
  const slow = one.rules.some(({ action }) => action === 'DescribeVolumes') ? { volume: 100, attach: 100, detach: 100 } : {};
  const ended = await place.run(['run', 'recipe.yml'], misbehaving(place.folder, one.rules, slow));
  const wrong = faultsOfEnd(one, ended);
  const undone = ended.code === 0 ? undefined : await place.run(['undo', '--all']);
  if (undone !== undefined && undone.code !== 0) wrong.push(`undo --all: exit code ${undone.code ?? undone.signal}: ${tail(undone)}`);
  wrong.push(...(ended.code === 0 ? faultsOfImages(place, one.variant, before) : differences(before, heldBy(place.folder))));
  wrong.push(...(await leftOnHost(host, place.folder)));
  await tidy(host, place);
  rmSync(join(place.folder), { recursive: true, force: true });
  return {
    part: 'ec2',
    title: titleOf(one),
    fault: one.rules.map(({ fault }) => fault).join('+'),
    result: ended.code === 0 ? 'succeeded' : ended.code === 5 ? 'left for undo' : ended.code === null ? 'killed' : 'rolled back',
    wrong,
    hung: ended.hung || (undone?.hung ?? false),
    again: `npm run test:faults -- --recipe ec2 --match '${titleOf(one)}$'`,
    seconds: (Date.now() - started) / 1000,
  };
}

function ruleOf(action: string, fault: FaultRule['fault']): FaultRule {
  const times = timesOf[fault] ?? 1;
  return { action, fault, ...(Number.isFinite(times) ? { times } : {}) };
}

function recipeOf(variant: Variant): string {
  if (variant !== 'replacing') return pipeline(variant === 'backward' ? '  boom: {needs: [share], run: exit 3}\n' : '');
  return pipeline()
    .replaceAll('next-{{ run.id }}', 'next')
    .replace('regions: [local-2, local-3], users', 'regions: [local-2, local-3], force_deregister: true, users')
    .replace('snapshot: "{{ snapshot.id }}"}}', 'snapshot: "{{ snapshot.id }}", force_deregister: true}}')
    .replace('regions: [local-2, local-3]}}', 'regions: [local-2, local-3], force_deregister: true}}');
}

/** What is wrong with how a run ended. A fault that passes must not fail a run, unless it may be the truth. */
function faultsOfEnd({ rules, variant }: Ec2Case, ended: Ended): string[] {
  const printed = ended.stdout + ended.stderr;
  if (ended.hung) return ['it does not end'];
  if (![0, 1, 5].includes(ended.code ?? -1)) return [`exit code ${ended.code ?? ended.signal}: ${tail(ended)}`];
  const mayFail =
    variant === 'backward' ||
    rules.length > 1 ||
    rules.some(({ action, fault }) => lasting.includes(fault) || (fault === 'not-found' && /^(Describe|Get)/.test(action)));
  if (ended.code === 0) return variant === 'backward' ? ['exit code 0, and its last task fails'] : [];
  const wrong = mayFail ? [] : [`exit code ${ended.code}: ${tail(ended)}`];
  const [{ action = '', fault = '' } = {}] = rules;
  if (rules.length === 1 && fault === 'denied' && !printed.includes(`ec2:${action}`)) wrong.push('the permission is not named');
  if (ended.code === 5 && !/^ +chrootfile undo \S+ --state \S+ {3}# /m.test(printed)) wrong.push('no command is shown for what is left behind');
  if (printed.includes('VolumeInUse')) wrong.push('it tried to delete a volume that is attached');
  return wrong;
}

/** Whether a succeeded run has its three images, and nothing it works with is left. */
function faultsOfImages({ folder }: Place, variant: Variant, before: readonly string[]): string[] {
  const now = heldBy(folder);
  const name = variant === 'replacing' ? /images next$/ : /images next-/;
  const inRegions = (is: (line: string) => boolean) =>
    [1, 2, 3].map((region) => now.filter((line) => line.startsWith(`local-${region} `) && is(line)).length).join(', ');
  const images = inRegions((line) => name.test(line));
  const snapshots = inRegions((line) => line.includes(' snapshots ') && !before.includes(line));
  return [
    ...(images === '1, 1, 1' ? [] : [`${images} images in the three regions`]),
    ...(snapshots === '1, 1, 1' ? [] : [`${snapshots} new snapshots in the three regions`]),
    ...now.filter((line) => / (volumes|disk) /.test(line)).map((line) => `left: ${line}`),
  ];
}

function differences(before: readonly string[], after: readonly string[]): string[] {
  return [
    ...after.filter((line) => !before.includes(line)).map((line) => `left: ${line}`),
    ...before.filter((line) => !after.includes(line)).map((line) => `gone: ${line}`),
  ];
}
