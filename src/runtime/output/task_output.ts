import { StringDecoder } from 'node:string_decoder';
import type { OutputMaker } from '../../linux/fifo.js';
import { plainText } from '../../linux/plain_text.js';
import { policy } from '../engine/policy.js';
import type { Redactor } from './redactor.js';
import { longestForm } from './secret_forms.js';

/** By a line with this a script names a secret. Source: GitHub Actions, "Workflow commands", "Masking a value in a log". */
const maskCommand = '::add-mask::';
const tooManyMasks = `chrootfile: a script may name ${policy.mostMasks} secrets, of ${policy.mostMaskChars} characters together; the others are not hidden`;

/** Has pipes give lines that may be shown. */
export const redactedOutput =
  (redactor: Redactor): OutputMaker =>
  (onLines, learn) =>
    new TaskOutput(redactor, onLines, learn);

/**
 * Makes lines that may be shown of what a script prints: without control characters, of lines that were written over
 * (`\r`) the last state, without secrets. Those the script names itself are hidden from the next line on. Its memory is
 * bounded: a line that is too long is cut.
 */
export class TaskOutput {
  private readonly decoder = new StringDecoder('utf8');
  /** The beginning of a line: its last state. Only added to, not looked at, so that it costs nothing until the line ends. */
  private rest = '';
  /** Whether a `\r` came after it: what comes next is written over it, unless that ends the line. */
  private isReturned = false;
  /** A whole line that may end within a secret, and the one before it, which has been shown. */
  private held = '';
  private context = '';
  private masks = { count: 0, chars: 0, areTooMany: false };

  /** @param learn is called when something came, before it is looked at: it may tell the redactor of secrets. */
  constructor(
    private readonly redactor: Redactor,
    private readonly onLines: (lines: string[]) => void,
    private readonly learn: () => void = () => {},
  ) {}

  write(chunk: Buffer): void {
    this.learn();
    const text = this.decoder.write(chunk);
    const end = text.lastIndexOf('\n') + 1;
    const lines = end > 0 ? shown(this.takeRest() + text.slice(0, end)) : '';
    if (end < text.length) this.goOn(text.slice(end));
    if (end > 0) this.show(this.withoutMasks(lines));
    while (this.rest.length > policy.longestLine + policy.longestStretch) this.cut();
  }

  end(): void {
    this.learn();
    const last = shown(this.takeRest() + this.decoder.end());
    this.show(last === '' ? '' : this.withoutMasks(`${last}\n`), true);
  }

  /** Adds to the line that has not ended. */
  private goOn(text: string): void {
    const parts = text.split('\r');
    const last = parts.findLastIndex((part) => part !== '');
    if (last >= 0) {
      this.rest = (last > 0 || this.isReturned ? '' : this.rest) + parts[last];
      this.isReturned = false;
    }
    if (last < parts.length - 1) this.isReturned = true;
  }

  private takeRest(): string {
    const rest = this.rest + (this.isReturned ? '\r' : '');
    this.rest = '';
    this.isReturned = false;
    return rest;
  }

  /** Shows whole lines. */
  private show(more: string, isEnd = false): void {
    const text = this.context + this.held + more;
    if (text === this.context) return;
    const lines = this.redactor
      .redact(text)
      .split('\n')
      .slice(this.context === '' ? 0 : 1, -1);
    this.context = '';
    this.held = '';
    if (!isEnd && this.redactor.isNeeded && wrapped.test(text.slice(-longestForm - 1))) {
      const last = text.lastIndexOf('\n', text.length - 2) + 1;
      this.held = text.slice(last);
      this.context = last === 0 ? '' : text.slice(text.lastIndexOf('\n', last - 2) + 1, last);
      lines.pop();
    }
    if (lines.length > 0) this.onLines(lines);
  }

  /** Shows the beginning of a line that is too long, but for what may be the beginning of a secret. */
  private cut(): void {
    const rest = plainText(this.rest);
    if (rest.trimStart().startsWith(maskCommand)) {
      this.withoutMasks(rest);
      this.rest = maskCommand;
      return;
    }
    this.show('', true);
    const at = this.redactor.cutBefore(rest, policy.longestLine);
    this.onLines([this.redactor.redact(rest.slice(0, at))]);
    this.rest = rest.slice(at);
  }

  /** Takes the lines out that name secrets, and registers those. */
  private withoutMasks(text: string): string {
    if (!text.includes(maskCommand)) return text;
    return text
      .split('\n')
      .flatMap((line) => {
        if (!line.trimStart().startsWith(maskCommand)) return [line];
        const value = line.trim().slice(maskCommand.length).trim();
        const { count, chars, areTooMany } = this.masks;
        if (areTooMany) return [];
        this.masks = { count: count + 1, chars: chars + value.length, areTooMany: count >= policy.mostMasks || chars + value.length > policy.mostMaskChars };
        if (this.masks.areTooMany) return [tooManyMasks];
        this.redactor.add(value);
        this.redactor.add(value.replace(/%(0A|0D|25)/g, decodeURIComponent));
        return [];
      })
      .join('\n');
  }
}

/** A full line of base64 may go on in the next. Of one as long as what is looked for at once, that is in two lines at most. */
const wrapped = new RegExp(`^[A-Za-z0-9+/_-]{${longestForm}}\n$`);

/** Lines as a terminal would leave them. */
function shown(text: string): string {
  return plainText(text.includes('\r') ? text.split('\n').map(lastState).join('\n') : text);
}

/** What stands on a line that was written over. */
function lastState(line: string): string {
  return line.includes('\r') ? (line.split('\r').findLast((part) => part !== '') ?? '') : line;
}
