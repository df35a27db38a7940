import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, release, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { base } from './base.js';
import { delayed, instant } from './ec2.js';
import type { Figure, Row } from './measure.js';
import { rebuild } from './rebuild.js';
import { screen } from './screen.js';
import { start } from './start.js';
import { web } from './web.js';

/**
 * Times chrootfile, its peers and bare commands in turn in one run, so that ratios stay valid when the speed of the
 * machine changes.
 *   npm run bench                    everything: about an hour
 *   npm run bench -- start instant   some groups: start, screen, instant, delayed, base, web, rebuild
 *   npm run bench -- --rounds 3      fewer rounds than the usual seven
 *   npm run bench -- --json          for programs
 *   npm run bench -- --write         write docs/bench.md
 */
const groups: Readonly<Record<string, (folder: string, rounds: number) => Row[] | Promise<Row[]>>> = { start, screen, instant, delayed, base, web, rebuild };
const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, write: { type: 'boolean', default: false }, rounds: { type: 'string', default: '7' } },
});
for (const name of wanted) if (groups[name] === undefined) throw new Error(`unknown group ${name}; known are ${Object.keys(groups).join(', ')}`);

const rows: Row[] = [];
for (const [name, group] of Object.entries(groups)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.error(`${name}…`);
  const folder = mkdtempSync(join(tmpdir(), 'chrootfile-bench-'));
  try {
    for (const row of await group(folder, Number(options.rounds))) {
      rows.push(row);
      console.error(textOf(row));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
const date = new Date().toISOString();
if (options.json) console.log(JSON.stringify({ date, machine: machine(), rows }, undefined, 2));
if (options.write) writeFileSync(resolve(import.meta.dirname, '../docs/bench.md'), pageOf(rows));

/** The machine and the versions of the programs. */
function machine(): string {
  const version = (...command: [string, ...string[]]) => {
    try {
      return (
        execFileSync(command[0], command.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
          .trim()
          .split('\n')[0] ?? ''
      );
    } catch {
      return `${command[0]}: not installed`;
    }
  };
  return [
    `${availableParallelism()} processors`,
    `Linux ${release().split('-')[0]}`,
    `Node ${process.versions.node}`,
    version('packer', 'version'),
    version('make', '--version'),
    version('mmdebstrap', '--version'),
    version('bash', '--version').replace(/\(.*/, ''),
  ].join(', ');
}

function textOf({ work, figures, bound, held }: Row): string {
  const lines = figures.map((figure) => `  ${figure.who.padEnd(28)} ${cellsOf(figure, figures[0]).join('  ')}`);
  return [`${work}   target: ${bound}: ${held ? 'met' : 'MISSED'}`, ...lines].join('\n');
}

/** Seconds, minimum to maximum, ratio of chrootfile to the program, CPU seconds, calls, memory. */
function cellsOf(figure: Figure, ours: Figure | undefined): string[] {
  const { seconds, least, most, cpu, calls, memory_mb: memory, runs } = figure;
  const ratio = ours === undefined || ours === figure ? '' : (ours.seconds / seconds).toFixed(2);
  return [
    `${seconds.toFixed(3)}`,
    `${least.toFixed(2)} to ${most.toFixed(2)}`,
    ratio,
    cpu?.toFixed(2) ?? '',
    `${calls ?? ''}`,
    `${memory ?? ''}`,
    String(runs),
  ];
}

function pageOf(all: readonly Row[]): string {
  const table = ({ work, figures, bound, held, note, plan }: Row) => [
    `## ${work}`,
    '',
    `Target: ${bound}. **${held ? 'Met' : 'Missed'}.**`,
    '',
    '| program | seconds | minimum to maximum | chrootfile ÷ program | CPU s | calls | MB | runs |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...figures.map((figure) => `| ${figure.who} | ${cellsOf(figure, figures[0]).join(' | ')} |`),
    '',
    ...(note === undefined ? [] : [note, '']),
    ...(held || plan === undefined ? [] : [plan, '']),
  ];
  return [
    '# Benchmarks',
    '',
    `\`npm run bench -- --write\` wrote this page on ${date.slice(0, 10)} on ${machine()}.`,
    '',
    'Seconds are medians after one warm-up round; the programs run in turn. Compare ratios rather than seconds, because machines',
    'differ and this one is shared.',
    '',
    ...all.flatMap(table),
  ].join('\n');
}
