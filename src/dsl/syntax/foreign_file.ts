import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { firstCharacterOf, hasKeys, type Source } from './source.js';

/** Files of other tools, by their unique keys; the first match counts. */
const formats: readonly { readonly is: RegExp; readonly what: string; readonly help: string }[] = [
  {
    is: /^\s*(source|build|variable|locals|packer|terraform|resource|module|provider|data)(\s+"[^"\n]*")*\s*\{/m,
    what: 'a file in HCL (Packer, Terraform)',
    help: 'the page "Coming from Packer" shows what to write; "chrootfile init" creates a recipe',
  },
  {
    is: /^\s*\{[\s\S]*"(builders|provisioners)"\s*:/,
    what: 'a JSON template of Packer',
    help: 'the page "Coming from Packer" shows what to write; "chrootfile init" creates a recipe',
  },
  { is: /^#!/, what: 'a script', help: 'run it from a recipe: tasks: {NAME: {run: {file: PATH}}}' },
  { is: /^[A-Za-z0-9_.% -]+:(?!=).*\n\t/m, what: 'a Makefile', help: 'each rule becomes a task with "needs" and "run"; "chrootfile init" creates a recipe' },
  {
    // A body that is no YAML, directly below a name.
    is: /^[a-z_][\w-]*(?: [\w ]+)?:(?: [\w -]+)?\n {2,4}(?!- |[\w-]+:)\S/m,
    what: 'a justfile',
    help: 'each recipe of it becomes a task with "needs" and "run"; "chrootfile init" creates a recipe',
  },
  { is: /^FROM \S+\s*$/m, what: 'a Dockerfile', help: 'each RUN becomes a task with "in"; "chrootfile init" creates a recipe' },
];

/** Recognizes a file of another tool; undefined for anything that has the keys of a recipe. */
export function foreignFile(source: Source): Diagnostic | undefined {
  const head = source.text.slice(0, 20_000);
  if (source.isPrivate || hasKeys(head, 'version') || hasKeys(head, 'tasks')) return undefined;
  const format = formats.find(({ is }) => is.test(head));
  return format && { code: 'yaml', message: `this is ${format.what}, not a recipe`, span: firstCharacterOf(source), help: format.help };
}
