import { readFileSync } from 'node:fs';

/** A file of JSON. @throws Error as `fs.readFileSync` does; with the code EINVAL and the name of the file where it holds none. */
export function readJson(file: string): unknown {
  const text = readFileSync(file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw Object.assign(new Error(`${file}: ${(error as Error).message}`), { code: 'EINVAL' });
  }
}
