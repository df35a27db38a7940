import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../support/program.js';
import type { Outcome } from './cases.js';
import type { Planned } from './plan.js';
import { scenarios } from './scenarios.js';

/** Writes the page of results. */
export function writePage({ points }: Planned, outcomes: readonly Outcome[]): void {
  const of = (part: string) => outcomes.filter((outcome) => outcome.part === part);
  const text = [
    introduction(new Date().toISOString().slice(0, 10)),
    '## Faults at every call\n',
    scenarioList(points),
    table(
      ['use', 'fault', 'tried', 'succeeded', 'rolled back', 'left for undo', 'killed', 'left after `undo --all`', 'did not end'],
      [...scenarios.keys()].flatMap((name) => grouped(of(name)).map(([fault, these]) => [name, fault, ...counts(these)])),
    ),
    '## Power cuts\n',
    powerText,
    table(
      ['file system, moment', 'tried', 'passed', 'failed'],
      grouped(of('power')).map(([when, these]) => [when, these.length, these.filter(isFine).length, these.filter((one) => !isFine(one)).length]),
    ),
    '## Faults of EC2\n',
    ec2Text,
    table(
      ['faults', 'tried', 'succeeded', 'rolled back', 'left for undo', 'killed', 'wrong after `undo --all`', 'did not end'],
      grouped(of('ec2').map(withPairsTogether)).map(([fault, these]) => [fault, ...counts(these)]),
    ),
  ];
  writeFileSync(join(repository, 'docs/reliability.md'), `${text.join('\n').trimEnd()}\n`);
}

const introduction = (date: string) => `# Reliability

This page shows what happened when chrootfile met faults at every point of its work. \`npm run test:faults\` tries them,
and \`npm run test:faults -- --write\` writes this page. It was written on ${date}.

A fault comes at one call by which the program changes something: it writes or renames a file, makes or removes a folder,
or starts another program. The test counts these calls in a run without faults, and then repeats the run once for each
call and each fault:

- \`KILL\`: the program is killed before the call. \`LATE\`: it is killed while a program that it has started is at work.
- \`TERM\`, \`INT\`, \`HUP\`: the program gets the signal before the call.
- \`ENOSPC\`, \`EIO\`: the call fails once, as on a disk that is full or broken. \`EIO+\`: all later calls fail too.
- \`SHORT\`: half of a write is stored, and the next writes fail, as on a disk that gets full.

After each case \`chrootfile undo --all\` runs once. Then nothing of the case may be left: no mount, no process, no loop
device, no device link, no memory file, no lock, no draft, and no image, snapshot, volume or disk that no succeeded run
made. An image that was reported must be whole: its records can be read, its file system is clean, and it holds what the
recipe wrote. A command that takes longer than 60 seconds counts as one that did not end.

## What is promised

- What a run reported as made is there, whole, after a power cut, a kill or a full disk at any later moment. A run
  reports an image once its record and its disk are on the disk of this machine, or EC2 says that it is available.
- Whatever happens to a run before it has succeeded, \`chrootfile undo\` removes what it made. A power cut during a run
  loses the run, and nothing that was reported.
- A failed run undoes everything itself. Where it cannot, it exits with 5 and lists what is left, with commands to type.
- A run that died elsewhere can be cleaned up after from any machine: \`chrootfile gc\` finds what carries its tags.

What is not promised:

- Logs and events (\`logs/\`, \`events.jsonl\`) are not forced to the disk. A power cut may take their last lines.
- What a script changes outside of the image is undone by its own \`undo\` only.
- On an EC2 that shows new things late, or not at all to the caller, a request whose answer was lost is looked for by its
  tags for 30 seconds. An account whose policies remove tags at creation hides such things from \`undo\` and \`gc\`.
- A disk that acknowledges writes it has not stored breaks these promises, as it does for every program.

## How to try one case

To try one case again, use \`--recipe\`, \`--points\` and \`--faults\`, for example:

    sudo npm run test:faults -- --recipe tiny --points 1-20 --faults KILL
`;

const powerText = `The power of a machine is simulated: the state is on a file system in a file, and that file is copied at one moment of a
run. What the run had written, and the kernel had not yet stored, is not in the copy. The copy is mounted in place of the
first file system, and \`undo --all\` runs on it. An image that was reported before must be there, byte for byte.
`;

const ec2Text = `Each action of EC2 that the program uses meets each fault once, on the way to images in three regions, during the undo,
and while older images are replaced. Further runs meet two faults, chosen at random.
`;

function scenarioList(points: ReadonlyMap<string, number>): string {
  return `${[...scenarios.values()]
    .filter(({ name }) => points.has(name))
    .map(({ name, summary }) => `- \`${name}\`: ${summary}; ${points.get(name)} points`)
    .join('\n')}\n`;
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
