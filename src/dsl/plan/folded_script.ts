import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Value } from '../syntax/values.js';

/** A script after `>`: YAML joins its lines, so that several commands become one. */
export function folded({ at }: Value, text: string): Diagnostic[] {
  const span = at.document.spanOf(at.pointer);
  const [, indicator, body = ''] = /^(>[+-]?)[^\n]*\n([\s\S]*)/.exec(at.document.source.text.slice(span.start, span.end)) ?? [];
  const lines = body
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (indicator === undefined || text.trim().includes('\n\n') || !areCommands(lines)) return [];
  const message = 'YAML joins the lines of a text after ">", so these commands become one';
  return [{ code: 'folded-script', severity: 'warning', message, span: { ...span, end: span.start + indicator.length }, help: 'write "|"' }];
}

/** Whether several of the lines are surely commands, and not the arguments of one. */
function areCommands(lines: readonly string[]): boolean {
  const [command = ''] = lines[0]?.split(/\s/) ?? [];
  // Options on lines of their own show that the author wants the lines joined.
  if (takesCommand.has(command) || lines.some((line) => /^(-|&|\|)/.test(line))) return false;
  return lines.some((line, i) => i > 0 && (line.startsWith(`${command} `) || begins.test(line)) && !goesOn(lines.slice(0, i)));
}

/** Programs whose arguments are another command. */
const takesCommand = new Set(
  'docker podman kubectl ssh sudo env exec xargs find chroot nsenter unshare timeout nice time parallel su runuser flock sh bash'.split(' '),
);

/** What follows `if` and `for` in the same command is a syntax error, which is reported. */
const begins = /^(?:set|cd|echo|mkdir|cp|mv|rm|chmod|chown|ln|touch|export|systemctl|apt-get) /;

/** Whether a command is not complete at the end of some lines: after an operator, an option, or inside quotes. */
function goesOn(lines: readonly string[]): boolean {
  const last = lines.at(-1) ?? '';
  const text = lines.join(' ').replace(/\\./g, '');
  const isOpen = /["']/.test(text.replace(/"[^"]*"|'[^']*'/g, ''));
  return isOpen || /(\\|&&|\|\|?|;|[{(]|\b(?:do|then|else|exec|run|env|sudo|chroot)(?: \S+)?)$/.test(last) || (/ -\S+$/.test(last) && !last.startsWith('set '));
}
