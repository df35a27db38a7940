import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** Where the bundles are: beside this one. */
const folder = import.meta.dirname;
const ofNode = createRequire(join(folder, 'main.js'));
/** Set by the build, which puts V8's caches beside the bundles. Packages come without them. */
const isBuild = process.env['CHROOTFILE_WRITE_CACHE'] === '1';
const isBuilt = isBuild || existsSync(join(folder, 'program.js.cache'));
const loaded = new Map<string, { exports: unknown }>();

/**
 * Loads a bundle with V8's cache of it: without one, half of the time of a start is compiling. V8 itself refuses the
 * cache of another version of V8; sums show whether it is complete and belongs to this source.
 */
function load(name: string): unknown {
  const known = loaded.get(name);
  if (known !== undefined) return known.exports;
  const file = join(folder, name);
  const cache = cacheFile(name);
  const bundle = readFileSync(file);
  const source = `(function (exports, require, module, __filename, __dirname) {${bundle.toString('latin1')}\n})`;
  const cachedData = cache === undefined ? undefined : readCache(bundle, cache);
  // V8 keeps this name in the cache: it must not be a folder of the machine that made it.
  const script = new Script(source, { filename: `dist/${name}`, ...(cachedData === undefined ? {} : { cachedData }) });
  const made = { exports: {} };
  loaded.set(name, made);
  script.runInThisContext()(made.exports, (wanted: string) => (wanted.startsWith('./') ? load(wanted.slice(2)) : ofNode(wanted)), made, file, folder);
  const isMissing = !isBuilt && !isMeasured && (cachedData === undefined || script.cachedDataRejected === true);
  // At the end, when the cache includes every function that was needed.
  if (cache !== undefined && (isBuild || isMissing)) process.on('exit', () => writeCache(cache, bundle, script));
  return made.exports;
}

/** While coverage is measured: functions that come from a cache are not counted. */
const isMeasured = process.env['NODE_V8_COVERAGE'] !== undefined;

/**
 * The cache of a bundle: beside it in a checkout; else below STATE for root, or in the user's cache folder, if there is
 * one. A run needs other functions than the rest, so it has a cache of its own there.
 */
function cacheFile(name: string): string | undefined {
  if (isBuilt) return join(folder, `${name}.cache`);
  const { CHROOTFILE_STATE, XDG_CACHE_HOME, HOME } = process.env;
  const [parent, own] =
    process.geteuid?.() === 0
      ? [CHROOTFILE_STATE || '/var/lib/chrootfile', 'cache']
      : XDG_CACHE_HOME
        ? [XDG_CACHE_HOME, 'chrootfile']
        : [HOME ?? '', '.cache/chrootfile'];
  // A STATE or a home that is not there yet is not created for a cache.
  return isAbsolute(parent) && existsSync(parent) ? join(parent, own, `${name}.${process.argv.includes('run') ? 'run' : 'other'}.cache`) : undefined;
}

/** The cache of a bundle, if there is a complete one for this source that this user wrote. */
function readCache(bundle: Buffer, file: string): Buffer | undefined {
  if (isMeasured) return undefined;
  try {
    if (!isBuilt && statSync(file).uid !== process.geteuid?.()) return undefined;
    const kept = readFileSync(file);
    const data = kept.subarray(sumBytes);
    return sumsOf(bundle, data).equals(kept.subarray(0, sumBytes)) ? data : undefined;
  } catch {
    return undefined;
  }
}

function writeCache(file: string, bundle: Buffer, script: Script): void {
  const data = script.createCachedData();
  const draft = `${file}.${process.pid}.new`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(draft, Buffer.concat([sumsOf(bundle, data), data]));
    renameSync(draft, file);
  } catch (error) {
    // On a read-only or full disk, starts stay slower and nothing else changes.
    if (isBuild) throw error;
    try {
      rmSync(draft, { force: true });
    } catch {
      // A folder that cannot be entered has no draft in it.
    }
  }
}

const sumBytes = 8;

/** Sums of the bytes: converting them to text first would take as long again. */
function sumsOf(bundle: Buffer, data: Buffer): Buffer {
  const sums = Buffer.alloc(sumBytes);
  sums.writeUInt32LE(crc32(bundle), 0);
  sums.writeUInt32LE(crc32(data), 4);
  return sums;
}

load('program.js');
// These are needed only where there is an account.
if (isBuild) for (const name of ['sdk_credentials', 'sdk_ebs', 'sdk_metadata', 'sdk_sts']) load(`${name}.js`);
