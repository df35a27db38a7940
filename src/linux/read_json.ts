import { readFileSync } from 'node:fs';

/** Reads a JSON file. @throws Error like `fs.readFileSync`; with the code EINVAL and the name of the file when it is not valid JSON. */
export function readJson(file: string): unknown {
  const text = readFileSync(file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw Object.assign(new Error(`${file}: ${(error as Error).message}`), { code: 'EINVAL' });
  }
}
