import { lineOf, type Source } from './source.js';

/** The place and message of an error; offsets count from the start of the text. */
export interface Found {
  readonly message: string;
  readonly start: number;
  readonly end?: number;
  readonly help?: string | undefined;
}

/** A longer line is not examined: the patterns would be slow and the advice useless. */
const longestLine = 1000;

/** A line of a source without its end, and what a reader sees in it. */
export class Line {
  readonly text: string;
  readonly indent: number;
  /** The key it begins with, and the text after the colon. */
  readonly key: string | undefined;
  readonly value: string;

  constructor(
    private readonly source: Source,
    readonly number: number,
  ) {
    this.text = lineOf(source, number).slice(0, longestLine);
    this.indent = /^ */.exec(this.text)?.[0].length ?? 0;
    const [, dash = '', key, value = ''] = /^ *((?:- +)*)([^\s#:'"[{&*!|>%@`-][^:#]{0,80}):(?:\s+(.*))?$/.exec(this.text) ?? [];
    this.key = key;
    this.value = value.trim();
    this.indent += dash.length;
  }

  get isEmpty(): boolean {
    return /^\s*(#.*)?$/.test(this.text);
  }

  /** The offset of a column, counted from 0. */
  at(column: number): number {
    let offset = 0;
    for (let line = 1; line < this.number; line += 1) offset = this.source.text.indexOf('\n', offset) + 1;
    return offset + column;
  }

  /** The value from an offset in the source on: to the end of the line, or of the entry of a map or list on one line. */
  from(offset: number): string {
    const column = offset - this.at(0);
    const end = /[{[]/.test(this.text.slice(0, column)) ? /[,\]}].*$|\s+#.*$/ : /\s+#.*$/;
    return this.text.slice(column).replace(end, '').trimEnd();
  }

  /** The line above that is not empty. */
  above(): Line | undefined {
    for (let number = this.number - 1; number > 0; number -= 1) {
      const line = new Line(this.source, number);
      if (!line.isEmpty) return line;
    }
    return undefined;
  }
}

/** A text in the quotes that need the fewest escapes. */
export function quoted(text: string): string {
  const cut = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return /["\\]/.test(cut) ? `'${cut.replaceAll("'", "''")}'` : `"${cut}"`;
}
