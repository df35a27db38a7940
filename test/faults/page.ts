import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../support/program.js';
import type { Outcome } from './cases.js';
import type { Planned } from './plan.js';
import { scenarios } from './scenarios.js';

const file = join(repository, 'docs/reliability.md');

/** Writes the page of results. Parts that this run left out keep their rows. */
export function writePage(planned: Planned, outcomes: readonly Outcome[]): void {
  writeFileSync(file, pageOf(planned, outcomes, readFileSync(file, 'utf8')));
}

/** The page of results. @param old the page before, for the parts that were left out. */
export function pageOf({ points }: Pick<Planned, 'points'>, outcomes: readonly Outcome[], old: string): string {
  const of = (part: string) => outcomes.filter((outcome) => outcome.part === part);
  const kept = (section: string, part: string, first = '') =>
    of(part).length > 0 ? [] : rowsIn(old, section).filter(([name]) => first === '' || name === first);
  const text = [
    introduction(new Date().toISOString().slice(0, 10)),
    '## Faults at every call\n',
    scenarioList(points, old),
    table(
      ['use', 'fault', 'tried', 'succeeded', 'rolled back', 'left for undo', 'killed', 'left after `undo --all`', 'hung'],
      [...scenarios.keys()].flatMap((name) => [
        ...kept('Faults at every call', name, name),
        ...grouped(of(name)).map(([fault, these]) => [name, fault, ...counts(these)]),
      ]),
    ),
    '## Power cuts\n',
    powerText,
    table(
      ['file system, moment', 'tried', 'passed', 'failed'],
      [
        ...kept('Power cuts', 'power'),
        ...grouped(of('power')).map(([when, these]) => [when, these.length, these.filter(isFine).length, these.filter((one) => !isFine(one)).length]),
      ],
    ),
    '## Faults of EC2\n',
    ec2Text,
    table(
      ['faults', 'tried', 'succeeded', 'rolled back', 'left for undo', 'killed', 'wrong after `undo --all`', 'hung'],
      [...kept('Faults of EC2', 'ec2'), ...grouped(of('ec2').map(withPairsTogether)).map(([fault, these]) => [fault, ...counts(these)])],
    ),
  ];
  return `${text.join('\n').trimEnd()}\n`;
}

/** The rows of the table in a section of the page. */
function rowsIn(page: string, section: string): string[][] {
  const text = page.split('\n## ').find((each) => each.startsWith(section)) ?? '';
  const rows = text.split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(2).map((row) => row.slice(2, -2).split(' | '));
}

const introduction = (date: string) => `# Reliability

This page shows how chrootfile behaves when a fault is injected at any point of its work. \`npm run test:faults\` injects the
faults, and \`npm run test:faults -- --write\` writes this page. Last run: ${date}.

A fault is injected at a call that changes something: the program writes or renames a file, creates or removes a folder,
or starts another program. The test counts these calls in a run without faults. Then it repeats the run once for each
call and each fault:

- \`KILL\`: the program is killed before the call. \`LATE\`: it is killed while a program that it started is running.
- \`TERM\`, \`INT\`, \`HUP\`: the program gets the signal before the call.
- \`ENOSPC\`, \`EIO\`: the call fails once, as on a full or broken disk. \`EIO+\`: all later calls fail too.
- \`SHORT\`: half of a write is stored, and the next writes fail, as on a disk that fills up.

After each case, \`chrootfile undo --all\` runs once. Then nothing of the case may be left behind: no mount, process, loop
device, device link, memory file, lock or draft, and no image, snapshot, volume or disk except those of succeeded runs.
A reported image must be complete: its records are readable, its file system is clean, and it holds what the
recipe wrote. A command that takes longer than 60 seconds counts as hanging.

## Guarantees

- An image that a run reported survives a power cut, a kill or a full disk at any later time, complete. A run
  reports an image only after its record and its disk are synced on this machine, or after EC2 reports it as available.
- Whatever happens to a run before it succeeds, \`chrootfile undo\` removes what the run created. A power cut during a run
  loses that run, but nothing that was reported.
- A failed run rolls back everything itself. If it cannot, it exits with 5 and lists what is left behind, with commands to type.
- \`chrootfile gc\` on any machine can clean up after a run whose machine is lost: it finds resources by their tags.
- A layer is used only if it is complete. Whatever happens while one is made, the next run makes the same image as without it.

There is no guarantee for these:

- Logs and events (\`logs/\`, \`events.jsonl\`) are not synced. A power cut may lose their last lines.
- Changes that a script makes outside the image are undone only by the script's own \`undo\`.
- When the answer of a request is lost, chrootfile searches for the new resource by its tags for 30 seconds. If EC2 shows it
  later than that, or policies of the account remove tags at creation, \`undo\` and \`gc\` cannot find it.
- A disk that acknowledges writes before it stores them breaks these guarantees, as it does for every program.

## Repeat a case

To repeat a case, use \`--recipe\`, \`--points\` and \`--faults\`, for example:

    sudo npm run test:faults -- --recipe tiny --points 1-20 --faults KILL
`;

const powerText = `A power cut is simulated: the state is on a file system in a file, and the test copies that file at one moment of a
run. Writes that the kernel had not yet stored are missing in the copy. The test mounts the copy in place of the
original file system, and runs \`undo --all\` on it. An image that was reported before must be there, byte for byte.
After a run with layers, the next run must make the right image from those that are left.
`;

const ec2Text = `Each fault is injected once into each EC2 action that the program uses: in a run that creates images in three regions,
during undo, and while older images are replaced. Further runs have two random faults.
`;

function scenarioList(points: ReadonlyMap<string, number>, old: string): string {
  const lines = [...scenarios.values()].flatMap(({ name, summary }) => {
    const known = points.get(name) ?? new RegExp(`^- \`${name}\`: .*; (\\d+) points$`, 'm').exec(old)?.[1];
    return known === undefined ? [] : [`- \`${name}\`: ${summary}; ${known} points`];
  });
  return `${lines.join('\n')}\n`;
}

function grouped(outcomes: readonly Outcome[]): [string, Outcome[]][] {
  const faults = [...new Set(outcomes.map(({ fault }) => fault))];
  return faults.map((fault) => [fault, outcomes.filter((one) => one.fault === fault)]);
}

function withPairsTogether(outcome: Outcome): Outcome {
  return outcome.fault.includes('+') ? { ...outcome, fault: 'two faults' } : outcome;
}

function counts(outcomes: readonly Outcome[]): number[] {
  const many = (is: (outcome: Outcome) => boolean) => outcomes.filter(is).length;
  const results = (['succeeded', 'rolled back', 'left for undo', 'killed'] as const).map((result) => many((one) => one.result === result));
  return [outcomes.length, ...results, many((one) => !isFine(one)), many(({ hung }) => hung)];
}

function isFine({ wrong }: Outcome): boolean {
  return wrong.length === 0;
}

/** A table of Markdown; says so when there are no rows. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  if (rows.length === 0) return 'Not tried.\n';
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`;
}
