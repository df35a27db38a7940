import { styleText } from 'node:util';
import { plainJson, plainText } from '../../linux/plain_text.js';

type Style = Parameters<typeof styleText>[0];

/** Text in a style on a terminal, plain elsewhere. NO_COLOR turns styles off, FORCE_COLOR turns them on everywhere. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return isStyled(stream) ? styleText(style, text, unchecked) : text;
}

// Newer versions of Node would look again, and take an empty NO_COLOR for one that is set.
const unchecked = { validateStream: false };

/** Whether there is a terminal on which a person can be asked. */
export function hasPerson(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

function isStyled(stream: NodeJS.WriteStream): boolean {
  const { FORCE_COLOR: force, NO_COLOR: never, TERM: terminal } = process.env;
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false';
  return stream.isTTY && !never && terminal !== 'dumb';
}

/** Whether rows can be drawn and drawn again: on a terminal that knows its width and moves its cursor, in front of a person. */
export function isDrawable(): boolean {
  const { TERM: terminal, CI: ci } = process.env;
  return process.stdout.isTTY && process.stdout.columns > 0 && terminal !== 'dumb' && !ci;
}

/** Writes text that is ready for a terminal. */
export type Printer = (stream: NodeJS.WriteStream, text: string) => void;

/** Passes everything that is printed to a printer, which makes room for it; undefined restores direct output. */
export function printThrough(other: Printer | undefined): void {
  printer = other ?? direct;
}

const direct: Printer = (stream, text) => void stream.write(text);
let printer = direct;

/** Prints lines on standard output, without control sequences other than styles. */
export function print(...lines: string[]): void {
  printer(process.stdout, harmless(lines.map((line) => `${line}\n`).join('')));
}

/** Prints lines on standard error likewise, and without the secrets of the run: errors come from anywhere. */
export function printError(...lines: string[]): void {
  printer(process.stderr, harmless(redact(lines.map((line) => `${line}\n`).join('')), process.stderr));
}

/** Sets the secrets of the run, which no error shows. */
export function hideSecrets(redactor: { redact(text: string): string }): void {
  redact = (text) => redactor.redact(text);
}

let redact = (text: string) => text;

/** Prints a value as JSON, for programs. */
export function printJson(value: unknown): void {
  print(plainJson(value, 2));
}

/** Text from recipes, images and scripts may contain escape sequences; only those of {@link styled} reach a terminal. */
export function harmless(text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return isStyled(stream)
    ? text
        .split(ownStyles)
        .map((part, i) => (i % 2 === 0 ? plainText(part) : part))
        .join('')
    : plainText(text);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern matches escape sequences
const ownStyles = /(\u001b\[(?:1|2|22|3[1-36]|39)m)/;

/** Rows in columns, the first row being their titles. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row, i) => {
    const line = row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ');
    return i === 0 ? styled('bold', line) : line;
  });
}
