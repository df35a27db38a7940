import { builtInLibraries, builtInReference } from '../recipe/built_in.js';
import { vocabularies } from './foreign_terms.js';
import { mostWords, nearest } from './nearest.js';

export { nearest };

/** Advice for an unknown word among those known: another tool's name for one of them, a near miss, or all known words. */
export function hintFor(word: string, known: readonly string[]): string | undefined {
  const foreign = foreignWord(word, known);
  if (foreign !== undefined) return foreign.help;
  const near = likely(word, known);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (known.length === 0) return undefined;
  // A longer list does not help.
  const sorted = [...known].sort().slice(0, mostListed);
  return `known names: ${sorted.join(', ')}${known.length > mostListed ? ', …' : ''}`;
}

const mostListed = 60;

/** The known word that an unknown one probably means: a near miss, or another tool's name for it. */
export function meantBy(word: string, known: readonly string[]): string | undefined {
  return foreignWord(word, known)?.key ?? likely(word, known);
}

/** A near miss; else the only known word that begins with this one, or that this one begins with: `volume_id` is `volume`. */
function likely(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known);
  if (near !== undefined || known.length > mostWords) return near;
  const fitting = known.filter((each) => each.startsWith(`${word}_`) || word.startsWith(`${each}_`));
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** Keys are compared without regard to case, and to hyphens for underscores. */
function normal(word: string): string {
  return word.toLowerCase().replaceAll('-', '_');
}

/** The counterpart of another tool's word: advice, and the key with the same meaning if there is one. */
function foreignWord(word: string, known: readonly string[]): { help: string; key?: string } | undefined {
  // So many names come from a recipe, not from the language.
  if (known.length > mostWords) return undefined;
  for (const { place, words } of vocabularies) {
    if (!known.includes(place)) continue;
    for (const [tool, own] of Object.entries(words)) {
      const found = Object.hasOwn(own, word) ? word : Object.keys(own).find((each) => normal(each) === normal(word));
      const ours = found === undefined ? undefined : own[found];
      if (ours === undefined) continue;
      const theirs = tool === '' ? `"${word}"` : `${tool}${tool.endsWith('s') ? "'" : "'s"} "${word}"`;
      const isKey = /^[a-z_.]+$/.test(ours);
      const key = ours.split('.')[0] as string;
      if (isKey && !known.includes(key)) continue;
      if (ours === '') return { help: `${theirs} has no counterpart; remove it` };
      return isKey ? { help: `${theirs} is "${ours}" here`, key } : { help: `for ${theirs}: ${ours}` };
    }
  }
  const same = known.find((each) => each !== word && normal(each) === normal(word));
  return same === undefined ? undefined : { help: `write ${same}`, key: same };
}

/** Kinds by the names that other tools have for what they do. */
const foreignKinds: Readonly<Record<string, string>> = {
  aws_ebs_volume: 'ec2.volume',
  aws_ebs_snapshot: 'ec2.snapshot',
  aws_volume_attachment: 'ec2.attachment',
  aws_ami: 'ec2.image',
  aws_ami_copy: 'ec2.copy',
  aws_ami_launch_permission: 'ec2.image_attributes',
  copy: 'chroot.upload',
  file: 'chroot.upload',
};

/** Advice for an unknown kind. */
export function hintForKind(name: string, kinds: readonly string[]): string {
  const foreign = Object.hasOwn(foreignKinds, name) ? foreignKinds[name] : undefined;
  if (foreign !== undefined) return `"${name}" is "${foreign}" here`;
  const library = name.replace(/^chrootfile:|\.ya?ml$/g, '').replaceAll('-', '_');
  if (Object.hasOwn(builtInLibraries, library)) return `include the library: includes: {ami: {recipe: "${builtInReference(library)}"}}`;
  if (name.includes('{{')) return 'a kind cannot be a template; write a task for each kind, with "if"';
  if (/^[\w.-]+\/.*@/.test(name)) return 'actions of GitHub do not run here; "chrootfile kinds" lists the kinds';
  if (/^amazon-/.test(name)) return 'include the library: includes: {ami: {recipe: "chrootfile:amazon_chroot"}}';
  if (['shell', 'shell-local', 'command', 'script', 'bash'].includes(name)) return 'a script needs no kind: write run: COMMAND';
  const near = nearest(name, kinds) ?? kinds.find((kind) => kind.split('.')[1] === name.split('.').at(-1));
  return near === undefined ? '"chrootfile kinds" lists the kinds' : `did you mean "${near}"? "chrootfile kinds" lists all`;
}

/** Types by their names in other languages. */
const foreignTypes: Readonly<Record<string, string>> = {
  int: 'integer',
  str: 'string',
  text: 'string',
  bool: 'boolean',
  float: 'number',
  double: 'number',
  array: 'list',
  object: 'map',
  dict: 'map',
  file: 'path',
  directory: 'path',
};

/** Advice for a type that another language has: `int` is `integer`. */
export function hintForType(name: string, types: readonly string[]): string | undefined {
  if (!types.includes('integer')) return undefined;
  if (name === 'choice') return 'write type: string, and the values in "enum"';
  const [bare = ''] = name.toLowerCase().split(/[^a-z]/);
  const own = (Object.hasOwn(foreignTypes, bare) ? foreignTypes[bare] : bare) as string;
  return types.includes(own) && own !== name ? `write ${own}` : undefined;
}

/** The output of a task that a parameter probably wants, by the names of both. */
export function outputFor(parameter: string, outputs: readonly string[], named?: string): string | undefined {
  if (named !== undefined) return outputs.includes(named) ? named : undefined;
  return [parameter, 'id', 'path', 'device'].find((name) => outputs.includes(name));
}
