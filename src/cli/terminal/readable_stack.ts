import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { basename, isAbsolute, join } from 'node:path';
import { inspect } from 'node:util';

/**
 * An error with its stack, in source files instead of bundles. The
 * build puts source maps beside the bundles; they are read only here.
 */
export function readableStack(error: unknown): string {
  if (!(error instanceof Error)) return `internal error: ${inspect(error)} was thrown`;
  const maps = new Map<string, SourceMap | undefined>();
  const where = (error.stack ?? '').split('\n').filter((line) => /^ +at /.test(line));
  const readable = where.map((line) =>
    line.replace(/((?:\/[^()]*\/)?dist\/\w+\.js):(\d+):(\d+)/, (written, bundle: string, row: string, column: string) => {
      if (!maps.has(bundle)) maps.set(bundle, mapOf(bundle));
      const found = maps.get(bundle)?.findEntry(Number(row) - 1, Number(column) - 1);
      return found !== undefined && 'originalSource' in found && found.originalSource !== undefined
        ? `${found.originalSource.replace(/^(\.\.\/)+/, '')}:${found.originalLine + 1}:${found.originalColumn + 1}`
        : written;
    }),
  );
  const message = error.message.startsWith('internal error') ? error.message : `internal error: ${error.name}: ${error.message}`;
  return [message, ...readable].join('\n');
}

/** @param bundle its path, or `dist/NAME.js` for those this program was loaded from. */
function mapOf(bundle: string): SourceMap | undefined {
  const file = isAbsolute(bundle) ? bundle : join(import.meta.dirname, basename(bundle));
  try {
    return new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')));
  } catch {
    // Without a map the stack shows places in the bundle.
    return undefined;
  }
}
