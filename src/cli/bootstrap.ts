import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** Where the bundles are: beside this one. */
const folder = import.meta.dirname;
const ofNode = createRequire(join(folder, 'main.js'));
/** Asked by the build. */
const writesCache = process.env['CHROOTFILE_WRITE_CACHE'] === '1';
const loaded = new Map<string, { exports: unknown }>();

/**
 * Loads a bundle, with what V8 made of it when it was built: half of the time of a start is compiling otherwise. V8
 * itself refuses what another version of it made; that it is whole, and of this source, is for us to see.
 */
function load(name: string): unknown {
  const known = loaded.get(name);
  if (known !== undefined) return known.exports;
  const file = join(folder, name);
  const cache = `${file}.cache`;
  const bundle = readFileSync(file);
  const source = `(function (exports, require, module, __filename, __dirname) {${bundle.toString('latin1')}\n})`;
  const cachedData = cacheOf(bundle, cache);
  // What V8 keeps names it: not by a folder of the machine that built it.
  const script = new Script(source, { filename: `dist/${name}`, ...(cachedData === undefined ? {} : { cachedData }) });
  const made = { exports: {} };
  loaded.set(name, made);
  script.runInThisContext()(made.exports, (wanted: string) => (wanted.startsWith('./') ? load(wanted.slice(2)) : ofNode(wanted)), made, file, folder);
  // At the end: then it holds all functions that were needed.
  if (writesCache) {
    process.on('exit', () => {
      const data = script.createCachedData();
      const draft = `${cache}.${process.pid}.new`;
      writeFileSync(draft, Buffer.concat([sumsOf(bundle, data), data]));
      renameSync(draft, cache);
    });
  }
  return made.exports;
}

/** What was kept for a bundle, where it is that and whole. */
function cacheOf(bundle: Buffer, file: string): Buffer | undefined {
  // What was compiled before counts nothing.
  if (process.env['NODE_V8_COVERAGE'] !== undefined) return undefined;
  try {
    const kept = readFileSync(file);
    const data = kept.subarray(sumBytes);
    return sumsOf(bundle, data).equals(kept.subarray(0, sumBytes)) ? data : undefined;
  } catch {
    return undefined;
  }
}

const sumBytes = 8;

/** Of bytes: a text would have to be made such first, which takes as long again. */
function sumsOf(bundle: Buffer, data: Buffer): Buffer {
  const sums = Buffer.alloc(sumBytes);
  sums.writeUInt32LE(crc32(bundle), 0);
  sums.writeUInt32LE(crc32(data), 4);
  return sums;
}

load('program.js');
// These are needed only where there is an account.
if (writesCache) for (const name of ['sdk_credentials', 'sdk_metadata', 'sdk_sts']) load(`${name}.js`);
