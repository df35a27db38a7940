import { InvalidArgumentError, Option } from 'commander';
import { durationMs } from '../dsl/syntax/lexical.js';

/** `--state`. */
export function stateOption(): Option {
  return new Option('--state <folder>', 'where runs and the embedded EC2 are kept (default: /var/lib/chrootfile for root)');
}

/** `--input`. */
export function inputOption(): Option {
  return new Option('-i, --input <name=value>', 'value of an input; may be given several times').argParser(collect).default([] as string[], 'none');
}

/** `--inputs`. */
export function inputsOption(): Option {
  return new Option('--inputs <file>', 'values of inputs, as YAML, JSON or dotenv (.env); may be given several times')
    .argParser(collect)
    .default([] as string[], 'none');
}

/** `--json`. */
export function jsonOption(): Option {
  return new Option('--json', 'print JSON').default(false);
}

/** Milliseconds. @throws InvalidArgumentError for what is no duration. */
export function duration(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration such as 90s, 20m or 2h.');
  return ms;
}

/** @throws InvalidArgumentError for what is no size. */
export function bytes(text: string): number {
  const [, number, unit = ''] = /^([1-9][0-9]*)([KMGT])$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError('It must be a size such as 10M, 50G or 1T.');
  return Number(number) * 1024 ** ('KMGT'.indexOf(unit) + 1);
}

function collect(value: string, all: readonly string[]): string[] {
  return [...all, value];
}
