import { StringDecoder } from 'node:string_decoder';
import type { OutputHandlers, OutputMaker } from '../../linux/fifo.js';
import { plainText } from '../../linux/plain_text.js';
import { policy } from '../engine/policy.js';
import type { Redactor } from './redactor.js';
import { longestForm } from './secret_forms.js';

/** A line that starts with this registers a secret. Source: GitHub Actions, "Workflow commands", "Masking a value in a log". */
const maskCommand = '::add-mask::';
const tooManyMasks = `chrootfile: a script can mask at most ${policy.maxMasks} secrets with ${policy.maxMaskChars} characters in total; further secrets are not hidden`;

/** Lets pipes produce lines that are safe to show. */
export const redactedOutput =
  (redactor: Redactor): OutputMaker =>
  (handlers) =>
    new TaskOutput(redactor, handlers);

/**
 * Turns the output of a script into lines that are safe to show: without control characters and secrets, and with only
 * the last state of lines that were overwritten (`\r`). A secret that the script masks is hidden from the next line
 * on. Memory is bounded: lines that are too long are split.
 */
export class TaskOutput {
  private readonly decoder = new StringDecoder('utf8');
  /** The last state of an incomplete line. Text is only appended to it, so that it costs nothing until the line ends. */
  private rest = '';
  /** Whether a `\r` followed it. The next text then overwrites it, unless it is a line end. */
  private isReturned = false;
  /** A whole line that may end within a secret, and the line before it, which has been shown. */
  private held = '';
  private context = '';
  private masks = { count: 0, chars: 0, areTooMany: false };

  /** @param handlers its `learn` may register secrets with the redactor. */
  constructor(
    private readonly redactor: Redactor,
    private readonly handlers: OutputHandlers,
  ) {}

  write(chunk: Buffer): void {
    this.handlers.learn?.();
    const text = this.decoder.write(chunk);
    const end = text.lastIndexOf('\n') + 1;
    const lines = end > 0 ? shown(this.takeRest() + text.slice(0, end)) : '';
    if (end < text.length) this.goOn(text.slice(end));
    if (end > 0) this.show(this.withoutMasks(lines));
    while (this.rest.length > policy.longestLine + policy.longestStretch) this.cut();
  }

  end(): void {
    this.handlers.learn?.();
    const last = shown(this.takeRest() + this.decoder.end());
    this.show(last === '' ? '' : this.withoutMasks(`${last}\n`), true);
  }

  /** Adds to the incomplete line. */
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

  /** Shows whole lines, and holds back one that may end within a secret. */
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
    if (lines.length > 0) this.handlers.onLines(lines);
  }

  /** Shows the beginning of a line that is too long, up to a possible beginning of a secret. */
  private cut(): void {
    const rest = plainText(this.rest);
    if (rest.trimStart().startsWith(maskCommand)) {
      this.withoutMasks(rest);
      this.rest = maskCommand;
      return;
    }
    this.show('', true);
    const at = this.redactor.cutBefore(rest, policy.longestLine);
    this.handlers.onLines([this.redactor.redact(rest.slice(0, at))]);
    this.rest = rest.slice(at);
  }

  /** Removes the lines that mask secrets, and registers those secrets. */
  private withoutMasks(text: string): string {
    if (!text.includes(maskCommand)) return text;
    return text
      .split('\n')
      .flatMap((line) => {
        if (!line.trimStart().startsWith(maskCommand)) return [line];
        this.handlers.onMask?.();
        const value = line.trim().slice(maskCommand.length).trim();
        const { count, chars, areTooMany } = this.masks;
        if (areTooMany) return [];
        this.masks = { count: count + 1, chars: chars + value.length, areTooMany: count >= policy.maxMasks || chars + value.length > policy.maxMaskChars };
        if (this.masks.areTooMany) return [tooManyMasks];
        this.redactor.add(value);
        this.redactor.add(value.replace(/%(0A|0D|25)/g, decodeURIComponent));
        return [];
      })
      .join('\n');
  }
}

/** A full line of base64 may continue in the next line. In lines as long as the longest form, a form spans two lines at most. */
const wrapped = new RegExp(`^[A-Za-z0-9+/_-]{${longestForm}}\n$`);

/** Lines as a terminal would show them. */
function shown(text: string): string {
  return plainText(text.includes('\r') ? text.split('\n').map(lastState).join('\n') : text);
}

/** What remains of a line that was overwritten. */
function lastState(line: string): string {
  return line.includes('\r') ? (line.split('\r').findLast((part) => part !== '') ?? '') : line;
}
