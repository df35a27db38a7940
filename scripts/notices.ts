import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

/**
 * The licenses of the packages whose code is in the bundles, with their notices.
 * @throws Error when a package comes without the text of its license.
 */
export function noticesOf({ outputs }: Metafile): string {
  const files = Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs).filter((file) => inputs[file]?.bytesInOutput !== 0));
  const folders = new Set(files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []));
  const packages = [...folders].map(packageIn).sort((a, b) => a.title.localeCompare(b.title));
  const texts = new Map<string, string[]>();
  for (const one of packages) {
    // Some packages of the AWS SDK come without a text: it is that of the others of their scope.
    const text = one.text ?? packages.find(({ scope, license, text }) => scope === one.scope && license === one.license && text !== undefined)?.text;
    if (text === undefined) throw new Error(`${one.title} comes without the text of its license`);
    texts.set(text, [...(texts.get(text) ?? []), one.title]);
  }
  const blocks = [...texts].map(([text, titles]) => `${titles.join('\n')}\n\n${text}\n`);
  return `The bundles of chrootfile contain code of these packages.\n\n${blocks.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

interface Package {
  readonly title: string;
  /** What its name begins with, e.g. `@aws-sdk`. */
  readonly scope: string;
  readonly license: string;
  readonly text: string | undefined;
}

function packageIn(folder: string): Package {
  const { name = '', version, license = '' } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
  const files = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
    .sort();
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8').trim()).join('\n\n');
  return { title: `${name} ${version} (${license})`, scope: name.split('/')[0] ?? '', license, text: text === '' ? undefined : text };
}
