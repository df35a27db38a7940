import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { repository } from '../support/program.js';
import { type Fault, faults } from './shim.js';

/** What the command line asks for. */
export interface Options {
  /** The parts to run: names of scenarios, `power`, `ec2`; undefined for all. */
  readonly recipes: readonly string[] | undefined;
  readonly faults: readonly Fault[];
  /** The first and the last point to try, counted from 1. */
  readonly points: readonly [first: number, last: number];
  /** Only points whose `call path` matches. */
  readonly match: RegExp | undefined;
  readonly seed: number;
  /** Which part of how many, e.g. the first of three. */
  readonly share: readonly [part: number, of: number] | undefined;
  /** No case begins after this many minutes. */
  readonly minutes: number;
  readonly workers: number;
  readonly program: string;
  readonly write: boolean;
  readonly mutate: string | undefined;
  /** Where the results go as JSON, for the mutations. */
  readonly json: string | undefined;
}

/** Reads the command line. @throws Error with what is wrong. */
export function optionsFrom(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ recipe: text, faults: text, points: text, match: text, seed: text, share: text, minutes: text, workers: text },
      ...{ program: text, mutate: text, json: text, write: { type: 'boolean' } },
    },
  });
  return {
    recipes: values.recipe?.split(','),
    faults: (values.faults?.split(',') ?? [...faults]).map(faultNamed),
    points: pointsFrom(values.points ?? '1-1000000'),
    match: values.match === undefined ? undefined : new RegExp(values.match),
    seed: Number(values.seed ?? Math.floor(Math.random() * 1_000_000)),
    share: values.share === undefined ? undefined : shareFrom(values.share),
    minutes: Number(values.minutes ?? Number.POSITIVE_INFINITY),
    workers: Number(values.workers ?? 2),
    program: resolve(values.program ?? `${repository}/bin/chrootfile`),
    write: values.write ?? false,
    mutate: values.mutate,
    json: values.json,
  };
}

function faultNamed(name: string): Fault {
  const found = faults.find((fault) => fault === name);
  if (found === undefined) throw new Error(`--faults ${name}: unknown fault; there are ${faults.join(', ')}`);
  return found;
}

function pointsFrom(text: string): [number, number] {
  const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (first === undefined) throw new Error(`--points ${text}: write one point or a range, e.g. 7 or 1-20`);
  return [Number(first), Number(last ?? first)];
}

/** Which part of how many, from text as `1/3`. @throws Error */
export function shareFrom(text: string): [number, number] {
  const [, part, of] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (part === undefined || Number(part) < 1 || Number(part) > Number(of)) throw new Error(`--share ${text}: write e.g. 1/3`);
  return [Number(part), Number(of)];
}
