import { styleText } from 'node:util';
import { plainJson, plainText } from '../../linux/plain_text.js';

type Style = Parameters<typeof styleText>[0];

/** Text in a style on a terminal, plain elsewhere and where NO_COLOR is set. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return isStyled(stream) ? styleText(style, text) : text;
}

/** Whether there is a terminal on which somebody can be asked. */
export function hasPerson(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

function isStyled(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && !process.env['NO_COLOR'];
}

/** Prints lines on standard output, without what a terminal would obey. */
export function print(...lines: string[]): void {
  process.stdout.write(harmless(lines.map((line) => `${line}\n`).join('')));
}

/** Prints lines on standard error likewise, and without the secrets of the run: errors come from anywhere. */
export function printError(...lines: string[]): void {
  process.stderr.write(harmless(redact(lines.map((line) => `${line}\n`).join('')), process.stderr));
}

/** Names the secrets of the run that this process is about. */
export function hideSecrets(redactor: { redact(text: string): string }): void {
  redact = (text) => redactor.redact(text);
}

let redact = (text: string) => text;

/** Prints a value as JSON, for programs. */
export function printJson(value: unknown): void {
  print(plainJson(value, 2));
}

/** Text from recipes, images and scripts may hold escape sequences; those of {@link styled} alone may reach a terminal. */
export function harmless(text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return isStyled(stream)
    ? text
        .split(ownStyles)
        .map((part, i) => (i % 2 === 0 ? plainText(part) : part))
        .join('')
    : plainText(text);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what it is about
const ownStyles = /(\u001b\[(?:1|2|22|3[1-36]|39)m)/;

/** Rows in columns, the first row being their titles. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row, i) => {
    const line = row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ');
    return i === 0 ? styled('bold', line) : line;
  });
}
