import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { table } from '../faults/page.js';
import { repository } from '../support/program.js';
import { cases } from './all.js';
import type { Outcome, Part } from './case.js';
import type { InputCounts } from './input.js';

/** Writes the page of results. */
export function writePage(outcomes: readonly Outcome[], input: InputCounts): void {
  const text = [
    introduction(new Date().toISOString().slice(0, 10)),
    ...sections.flatMap(({ part, title, about }) => [`## ${title}\n`, about, rowsOf(part, outcomes)]),
    inputSection(input),
    ending,
  ];
  writeFileSync(join(repository, 'docs/hostile.md'), `${text.join('\n').trimEnd()}\n`);
}

const introduction = (date: string) => `# Hostile images and real provisioning

This page shows what happened when chrootfile built on images that are not what they should be, with scripts that do what
they should not, and with real packages. \`npm run test:hostile\` tries them, and \`npm run test:hostile -- --write\` writes
this page. It was written on ${date}.

Each case is one run of the program: from an image of the embedded EC2, by way of \`recipes/lib/image_from_image.yml\`, with
a script in the chroot, a second script, an upload, a download, a snapshot and an image. A case passes when

- the run succeeds, or fails with a message and exit code 1. Many cases must succeed, or must fail with a certain message;
- the run ends. A case that takes longer than 60 seconds (10 minutes for packages) counts as one that did not end;
- nothing is printed that only a developer understands: no stack trace, no internal error;
- nothing is left on the host, without \`undo\`: no mount, no process, no loop device, no device link, no memory file, no
  lock, no volume; and \`chrootfile undo --all\` finds nothing to undo;
- nothing of the host has changed: \`/etc\`, a tree of files that the links of the images lead to, the host's name, settings
  of the kernel, network devices, \`/dev\`;
- the image of a run that succeeded has a clean file system, holds what the case asks for, and nothing of the program or
  the build host.

To try one case again, use \`--part\` and \`--match\`, for example:

    sudo npm run test:hostile -- --part images --match 'resolv.conf: a fifo'
`;

const inputSection = ({ recipes, requests }: InputCounts) => `## Recipes and requests

Recipes of this repository, good and bad, are changed at random (\`npm run test:fuzz\`): what checks them must accept them, or
say what is wrong by one of the [codes](messages.md), within seconds. Bad requests to \`local serve\` must be answered with
an error as EC2 has them, and change nothing.

${table(
  ['sort', 'tried', 'wrong'],
  [
    ['recipes, changed at random', recipes.tried, recipes.wrong],
    ['bad requests', requests.tried, requests.wrong],
  ],
)}`;

const ending = `## What is not tried

- A damaged file system with \`errors=panic\`, writes to \`/proc/sysrq-trigger\`, and whatever else would stop the machine
  that tries it, are tried only as far as opening: the option that the mount has, and whether a write would be allowed.
- A script that is root with CAP_SYS_ADMIN and wants to get out is not held: see [SECURITY.md](../SECURITY.md).
- The update and cleanup scripts are equivalents of our own of those in public repositories of image templates.
`;

const sections: readonly { readonly part: Part; readonly title: string; readonly about: string }[] = [
  {
    part: 'images',
    title: 'Hostile images',
    about: 'A small file system of busybox, ext4 by default, with one thing that is hostile. Links lead to files of the build host.\n',
  },
  { part: 'acts', title: 'Acts of a script', about: 'A script in the chroot of a small image does one thing that later work must survive.\n' },
  {
    part: 'debian',
    title: 'Debian packages',
    about: 'A script installs packages of Debian 12 in an image that `mmdebstrap --variant=minbase` has made, under `set -eux`.\n',
  },
  {
    part: 'rpm',
    title: 'RPMs',
    about: 'dnf and zypper of Debian install packages from a local repository, each of which was made to try one thing.\n',
  },
];

/** A row for each sort of case, with what its cases are. */
function rowsOf(part: Part, outcomes: readonly Outcome[]): string {
  const sorts = [...new Set(cases.filter((one) => one.part === part).map(({ sort }) => sort))];
  const of = (sort: string) => outcomes.filter((one) => one.part === part && one.sort === sort);
  const rows = [
    ...sorts.filter((sort) => of(sort).length > 0).map((sort) => [sort, ...counts(of(sort))]),
    ['**all**', ...counts(outcomes.filter((one) => one.part === part))],
  ];
  const lists = sorts.map((sort) => {
    const names = of(sort).map(({ name }) => name.replace(`${sort}: `, ''));
    return names.length === 0 ? '' : `${wrapped(`- **${sort}**: ${names.join('; ')}`)}\n`;
  });
  return `${table(['sort', 'tried', 'succeeded', 'failed with a message', 'wrong', 'did not end'], rows)}\n${lists.join('')}`;
}

/** An item of a list in lines of at most 120 characters. */
function wrapped(text: string): string {
  return text.replace(/(.{1,118})(?: |$)/g, (_, line, at) => `${at === 0 ? '' : '  '}${line}\n`).trimEnd();
}

function counts(outcomes: readonly Outcome[]): number[] {
  const many = (is: (outcome: Outcome) => boolean) => outcomes.filter(is).length;
  const isFine = ({ wrong }: Outcome) => wrong.length === 0;
  return [
    outcomes.length,
    many((one) => isFine(one) && one.result === 'succeeded'),
    many((one) => isFine(one) && one.result === 'failed'),
    many((one) => !isFine(one)),
    many(({ hung }) => hung),
  ];
}
