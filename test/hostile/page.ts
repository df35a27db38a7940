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

This page shows how chrootfile behaves with hostile images, with hostile scripts, and with real packages.
\`npm run test:hostile\` runs the cases, and \`npm run test:hostile -- --write\` writes this page. Last run: ${date}.

Each case is one run that builds an image from an image of the embedded EC2 with the library \`chrootfile:image_from_image\`. The run
has two scripts in the chroot, an upload, a download, a snapshot and an image. A case passes when

- the run succeeds, or fails with a message and exit code 1. Many cases must succeed, or must fail with a specific message;
- the run ends. A case that takes longer than 60 seconds (10 minutes for packages) counts as hanging;
- it prints no stack trace and no internal error;
- nothing is left behind on the host, even without \`undo\`: no mount, process, loop device, device link, memory file,
  lock or volume. \`chrootfile undo --all\` then finds nothing to undo;
- the host is unchanged: \`/etc\`, a tree of files that links in the images point to, the host name, kernel
  settings, network devices, \`/dev\`;
- the image of a successful run has a clean file system, contains what the case asks for, and contains nothing of
  chrootfile or the build host.

To repeat a case, use \`--part\` and \`--match\`, for example:

    sudo npm run test:hostile -- --part images --match 'resolv.conf: a fifo'
`;

const inputSection = ({ recipes, requests }: InputCounts) => `## Recipes and requests

\`npm run test:fuzz\` changes valid and invalid recipes of this repository at random. \`check\` must accept each one or report an
error with one of the [codes](messages.md), within seconds. \`local serve\` must answer each bad request with
an error code of EC2, and change nothing.

${table(
  ['sort', 'tried', 'wrong'],
  [
    ['recipes, changed at random', recipes.tried, recipes.wrong],
    ['bad requests', requests.tried, requests.wrong],
  ],
)}`;

const ending = `## Limits of these tests

- Cases that would stop the test machine, such as a damaged file system with \`errors=panic\` or writes to
  \`/proc/sysrq-trigger\`, are tested only up to that point: the mount options, and whether a write would be allowed.
- A script that is root with CAP_SYS_ADMIN can escape if it wants to: see [SECURITY.md](../SECURITY.md).
- The update and cleanup scripts are our own equivalents of scripts in public repositories of image templates.
`;

const sections: readonly { readonly part: Part; readonly title: string; readonly about: string }[] = [
  {
    part: 'images',
    title: 'Hostile images',
    about: 'A small file system of busybox, ext4 by default, with one hostile change. Links point to files of the build host.\n',
  },
  { part: 'acts', title: 'Actions of a script', about: 'A script in the chroot of a small image does one thing that later tasks must survive.\n' },
  {
    part: 'debian',
    title: 'Debian packages',
    about: 'A script installs packages of Debian 12 in an image from `mmdebstrap --variant=minbase`, under `set -eux`.\n',
  },
  {
    part: 'rpm',
    title: 'RPMs',
    about: "Debian's dnf and zypper install packages from a local repository; each package tests one thing.\n",
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
  return `${table(['sort', 'tried', 'succeeded', 'failed with a message', 'wrong', 'hung'], rows)}\n${lists.join('')}`;
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
