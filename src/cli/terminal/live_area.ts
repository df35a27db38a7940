import wrapAnsi from 'wrap-ansi';
import { policy } from '../../runtime/engine/policy.js';
import { harmless, type Printer, printThrough } from './output.js';

/** Columns and rows of a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/**
 * The last rows of a terminal, drawn again at most every {@link policy.redrawMs}. Whatever is printed meanwhile scrolls
 * off above them. Its cost depends on the rows shown and on nothing else.
 *
 * Between frames the cursor stands at the start of the first row, a place that the terminal remembers. There it echoes
 * what somebody types: Enter moves the cursor within the area, and an empty row at the end keeps the screen from scrolling.
 */
export class LiveArea {
  /** The rows on the screen. */
  private rows: readonly string[] = [];
  /** What was printed since the last frame. */
  private printed: { readonly stream: NodeJS.WriteStream; text: string }[] = [];
  private timer: NodeJS.Timeout | undefined;
  private readonly onResize = () => this.draw();
  private readonly onExit = () => this.end();
  private drawn: Size | undefined;

  /** @param contents gives the rows to show, at most as many as fit. */
  constructor(private readonly contents: (size: Size) => readonly string[]) {}

  start(): void {
    if (this.timer !== undefined) return;
    this.timer = setInterval(() => this.draw(), policy.redrawMs);
    process.stdout.on('resize', this.onResize);
    // Also after an error that nobody handles: what was printed must be seen.
    process.on('exit', this.onExit);
    printThrough(this.print);
  }

  /** Draws a frame now: for something the user is waiting to see. */
  draw(): void {
    if (this.timer === undefined) return;
    const { columns, rows } = sizeOf(process.stdout);
    this.show(this.contents({ columns, rows: rows - 1 }).map((row) => cut(harmless(row), columns)));
  }

  /** Prints what is left and removes the rows, so that another program can use the terminal; {@link start} continues. */
  end(): void {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    this.timer = undefined;
    process.stdout.off('resize', this.onResize);
    process.off('exit', this.onExit);
    this.show([]);
    printThrough(undefined);
  }

  private readonly print: Printer = (stream, text) => {
    const last = this.printed.at(-1);
    if (last?.stream === stream) last.text += text;
    else this.printed.push({ stream, text });
  };

  private show(rows: readonly string[]): void {
    const size = sizeOf(process.stdout);
    const isResized = size.columns !== this.drawn?.columns || size.rows !== this.drawn.rows;
    if (this.printed.length === 0 && !isResized && rows.join('\n') === this.rows.join('\n')) return;
    // A terminal whose size changed has moved its cursor along with the row, but not the place it remembers.
    const toTop = isResized || this.rows.length === 0 ? '\r' : `${escape}8`;
    // Without wrapping: a terminal may be narrower already than it says.
    const drawn =
      rows.length === 0 ? '' : `${escape}[?7l${rows.map((row) => `${row}${escape}[K\n`).join('')}${escape}[J${escape}[${rows.length}A\r${escape}7${escape}[?7h`;
    if (this.printed.length === 0 && rows.length > 0) process.stdout.write(`${toTop}${drawn}`);
    else {
      process.stdout.write(toTop + (this.rows.length === 0 ? '' : erased));
      for (const { stream, text } of this.printed) stream.write(text);
      process.stdout.write(drawn);
    }
    this.printed = [];
    this.rows = rows;
    this.drawn = size;
  }
}

const escape = '\u001b';
/** Erases the first row, then all below it. Tmux would keep what is erased from the first row of the screen on, as scrolled off. */
const erased = `${escape}[2K\n${escape}[J${escape}[A\r`;
// Not `hard`: it would move a long word to the next row instead of filling this one.
const wrapping = { hard: false, trim: false, wordWrap: false };

/** A row cut right at the edge of the terminal: wide characters take two columns, colours none. */
function cut(row: string, columns: number): string {
  const line = row.replaceAll('\n', ' ').replaceAll('\t', ' ');
  if (line.length <= columns && isAscii.test(line)) return line;
  // No character of a row needs more than a few units: so only the start of a long line is measured.
  return wrapAnsi(line.slice(0, 4 * columns + 100), columns, wrapping).split('\n')[0] ?? '';
}
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are escape sequences
const isAscii = /^[\u0000-\u007f]*$/;

function sizeOf({ columns, rows }: NodeJS.WriteStream): Size {
  return { columns: columns || 80, rows: rows || 24 };
}
