import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodedMappings, type SourceMapInput, TraceMap } from '@jridgewell/trace-mapping';

/** What V8 counted in a process. Source: Node, "NODE_V8_COVERAGE"; Chrome DevTools Protocol, `Profiler.ScriptCoverage`. */
interface Counted {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[] }[];
  }[];
  readonly 'source-map-cache'?: Readonly<Record<string, { readonly lineLengths: readonly number[]; readonly data: SourceMapInput | null }>>;
}

/** The places of a script that come from a line of a source, in the order they stand in it; and which of them ran. */
interface Script {
  readonly offsets: readonly number[];
  readonly lines: readonly string[];
  readonly ran: Uint8Array;
}

/** A file of src/, and its lines with code. */
export interface CoveredFile {
  /** From the root of the project, e.g. `src/cli/main.ts`. */
  readonly file: string;
  readonly ran: number;
  readonly total: number;
  /** The lines that did not run. */
  readonly left: readonly number[];
}

/** Which lines of the sources ran in any of many processes. A line ran when any part of it did. */
export class Lines {
  private readonly scripts = new Map<string, Script | undefined>();

  constructor(private readonly root: string) {}

  /** Adds what V8 wrote of one process; nothing, where it could not be written whole, as on a full disk. */
  add(text: string): void {
    const counted = parsed(text);
    for (const { url, functions } of counted.result) {
      if (!this.scripts.has(url)) this.scripts.set(url, this.open(url, counted));
      const script = this.scripts.get(url);
      if (script === undefined) continue;
      const { offsets, ran } = script;
      const now = new Uint8Array(ran.length);
      // A function stands before those within it, and a range likewise.
      for (const { startOffset, endOffset, count } of functions.flatMap(({ ranges }) => ranges)) {
        now.fill(count > 0 ? 1 : 0, firstFrom(offsets, startOffset), firstFrom(offsets, endOffset));
      }
      // By index: a bundle has some 100,000 places.
      for (let i = 0; i < now.length; i += 1) if (now[i] === 1) ran[i] = 1;
    }
  }

  /** All files of src/ that have code, by name. */
  files(): CoveredFile[] {
    const files = new Map<string, Map<number, boolean>>();
    for (const script of this.scripts.values()) {
      for (const [i, place] of script?.lines.entries() ?? []) {
        const [file = '', line] = place.split(':');
        const lines = files.get(file) ?? new Map<number, boolean>();
        files.set(file, lines.set(Number(line), lines.get(Number(line)) === true || script?.ran[i] === 1));
      }
    }
    return [...files].sort().map(([file, lines]) => {
      const left = [...lines].flatMap(([line, ran]) => (ran ? [] : [line])).sort((a, b) => a - b);
      return { file, ran: lines.size - left.length, total: lines.size, left };
    });
  }

  /** A script with places of src/: one of them as it was compiled for a test, or a bundle; undefined for all others. */
  private open(url: string, counted: Counted): Script | undefined {
    const path = url.startsWith('file:') ? fileURLToPath(url) : url;
    const place = relative(this.root, path);
    if (place.startsWith('src/')) {
      const { data, lineLengths } = counted['source-map-cache']?.[url] ?? {};
      if (data === undefined || data === null || lineLengths === undefined) throw new Error(`${url} has no map`);
      return this.placesOf(data, lineLengths, 0, () => path);
    }
    if (!/^dist\/\w+\.js$/.test(place)) return undefined;
    const lengths = readFileSync(path, 'latin1')
      .split('\n')
      .map(({ length }) => length);
    const map = readFileSync(`${path}.map`, 'utf8');
    // All bundles but the first are in the function that it makes of them.
    return this.placesOf(map, lengths, url.startsWith('file:') ? 0 : wrapper.length, (source) => resolve(path, '..', source));
  }

  private placesOf(map: SourceMapInput, lengths: readonly number[], before: number, pathOf: (source: string) => string): Script {
    const trace = new TraceMap(map);
    const sources = trace.sources.map((source) => relative(this.root, pathOf(source ?? '')));
    const found: { offset: number; line: string }[] = [];
    let start = before;
    for (const [at, segments] of decodedMappings(trace).entries()) {
      for (const [column, source, line] of segments) {
        const file = source === undefined ? '' : (sources[source] ?? '');
        if (file.startsWith('src/') && line !== undefined) found.push({ offset: start + column, line: `${file}:${line + 1}` });
      }
      start += (lengths[at] ?? 0) + 1;
    }
    return { offsets: found.map(({ offset }) => offset), lines: found.map(({ line }) => line), ran: new Uint8Array(found.length) };
  }
}

function parsed(text: string): Counted {
  try {
    return JSON.parse(text) as Counted;
  } catch (error) {
    if (error instanceof SyntaxError) return { result: [] };
    throw error;
  }
}

/** As src/cli/bootstrap.ts says it. */
const wrapper = '(function (exports, require, module, __filename, __dirname) {';

/** The index of the first of some sorted numbers that is not less than one. */
function firstFrom(sorted: readonly number[], number: number): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle] ?? 0) < number) from = middle + 1;
    else to = middle;
  }
  return from;
}
