import { type Command, InvalidArgumentError, Option } from 'commander';
import { durationMs } from '../dsl/syntax/duration.js';

/** The command line as a verb sees it, besides its own arguments and options. */
export interface CommandLine {
  /** The words for this program, after the verb. */
  readonly words: readonly string[];
  /** The words after `--`, which are for the recipe. */
  readonly passed: readonly string[];
  /** Sets the exit code. */
  exit(code: number): void;
  /** The program, with at least the verbs that the words name. */
  programFor(words: readonly string[]): Promise<Command>;
}

/** Declares a verb in the program or in a group: its arguments, options and help, and what it does. */
export type Verb = (parent: Command, line: CommandLine) => void | Promise<void>;

/** Verbs in the order in which help lists them, each in a module that is loaded when the verb is used. */
export type Verbs = Readonly<Record<string, () => Promise<{ readonly verb: Verb }>>>;

/** Adds the verb that the first word names. If it names none (help, a typo), all are added; loading all makes a start a quarter slower. */
export async function addVerbs(parent: Command, verbs: Verbs, line: CommandLine): Promise<void> {
  const [named = '', ...words] = line.words;
  const load = Object.hasOwn(verbs, named) ? verbs[named] : undefined;
  for (const each of load === undefined ? Object.values(verbs) : [load]) {
    const { verb } = await each();
    await verb(parent, { ...line, words });
  }
}

/** `--state`. */
export function stateOption(): Option {
  return new Option('--state <folder>', 'folder of runs and the embedded EC2 (default: /var/lib/chrootfile for root)');
}

/** `--input`. */
export function inputOption(): Option {
  return new Option('-i, --input <name=value>', 'set an input; can be repeated').argParser(collect).default([] as string[]);
}

/** `--inputs`. */
export function inputsOption(): Option {
  return new Option('--inputs <file>', 'read inputs from a YAML, JSON or dotenv (.env) file; can be repeated').argParser(collect).default([] as string[]);
}

/** Adds the options that choose another EC2 than the recipe does. */
export function addCloudOptions(command: Command): Command {
  return command
    .addOption(new Option('--cloud <provider>', 'EC2 to build in, instead of the one in the recipe').choices(['local', 'aws']))
    .addOption(new Option('--region <region>', 'region to use instead of the one in the recipe or the environment'))
    .addOption(new Option('--profile <profile>', 'AWS profile to use instead of the one in the recipe or the environment'))
    .addOption(new Option('--endpoint <url>', 'EC2 endpoint to use'))
    .addOption(
      new Option('--volumes <where>', 'attach EBS volumes, or keep disks on this machine and transfer snapshots directly; for AWS').choices([
        'attach',
        'direct',
        'auto',
      ]),
    );
}

/** `--json`. */
export function jsonOption(): Option {
  return new Option('--json', 'print JSON').default(false);
}

/** Milliseconds. @throws InvalidArgumentError for anything else. */
export function duration(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration of at most 24 days, such as 90s, 20m or 1h30m.');
  return ms;
}

/** Milliseconds of a duration that may be in days, such as 7d. @throws InvalidArgumentError for anything else. */
export function age(text: string): number {
  const [, days] = /^([0-9]+)d$/.exec(text) ?? [];
  const ms = days === undefined ? durationMs(text) : Number(days) * 86_400_000;
  if (ms === undefined) throw new InvalidArgumentError('It must be an age such as 12h or 30d.');
  return ms;
}

/** A positive whole number. @throws InvalidArgumentError for anything else. */
export function count(text: string): number {
  if (!/^[1-9][0-9]*$/.test(text)) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return Number(text);
}

/** @throws InvalidArgumentError for anything else. */
export function bytes(text: string): number {
  const [, number, unit = ''] = /^([1-9][0-9]*)([KMGT])$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError('It must be a size such as 10M, 50G or 1T.');
  return Number(number) * 1024 ** ('KMGT'.indexOf(unit) + 1);
}

export function collect(value: string, all: readonly string[]): string[] {
  return [...all, value];
}
