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

/** Advice for a name in a template: the variable or input of that name; what other tools' templates mean; or the known names. */
export function hintForName(
  path: readonly string[],
  known: { readonly inputs: readonly string[]; readonly vars: readonly string[]; readonly others: readonly string[] },
): string | undefined {
  const [first = '', second = ''] = path;
  const owner = (name: string) => (known.vars.includes(name) ? 'vars' : known.inputs.includes(name) ? 'inputs' : undefined);
  const qualified = (name: string) => (owner(name) === undefined ? undefined : `write {{ ${owner(name)}.${name} }}`);
  if (['inputs', 'vars'].includes(first)) return qualified(second);
  if (path.length === 1 && owner(first) !== undefined) return qualified(first);
  if (path.length === 1 && /^[A-Z_]+$/.test(first) && owner(first.toLowerCase()) !== undefined) return qualified(first.toLowerCase());
  const foreign = hintForPath(path, known.others);
  if (foreign !== undefined) return foreign;
  const near = path.length === 1 ? nearest(first, [...known.vars, ...known.inputs]) : undefined;
  return near === undefined ? undefined : `did you mean ${owner(near)}.${near}?`;
}

/** Advice for a name that other tools' templates use. */
function hintForPath(path: readonly string[], tasks: readonly string[]): string | undefined {
  const [first = '', second, third, fourth] = path;
  const output = third === 'outputs' && second !== undefined ? `${second}.${fourth ?? 'NAME'}` : undefined;
  if (first === 'tasks' && second !== undefined && tasks.includes(second)) return `write {{ ${[second, ...path.slice(2)].join('.')} }}`;
  if (['needs', 'steps', 'tasks', 'jobs'].includes(first)) return output === undefined ? 'write {{ TASK.OUTPUT }}' : `write {{ ${output} }}`;
  if (first === 'item') return 'Ansible\'s and Argo\'s "item" is "matrix.NAME" here, in a task with "strategy"';
  if (['var', 'input', 'params', 'parameters'].includes(first)) return `write {{ inputs.${second ?? 'NAME'} }}`;
  if (first === 'local') return `write {{ vars.${second ?? 'NAME'} }}`;
  if (['isotime', 'timestamp', 'uuid'].includes(first)) return `Packer's "${first}" is "run.${first}" here`;
  if (['secrets', 'github', 'runner', 'workflow', 'build', 'source', 'hostvars'].includes(first))
    return `pass the value as an input: {{ inputs.${second ?? 'NAME'} }}`;
  if (/^[A-Z_]+$/.test(first)) return `a variable of the environment is {{ env.${first} }}`;
  if (first.startsWith('ansible_')) return 'pass the value as an input, or compute it with {sh: …} in "vars"';
  return undefined;
}

/** Advice for an expression of other tools' templates. */
export function hintForSyntax(text: string): string | undefined {
  if (/^\{\{-?\s*user\s/.test(text)) return "Packer's {{ user `x` }} is {{ inputs.x }} here";
  if (/^\{\{-?\s*env\s/.test(text)) return "Packer's {{ env `X` }} is {{ env.X }} here";
  if (/^\{\{-?\s*build\s/.test(text)) return "Packer's {{ build `X` }} is an output here: {{ TASK.OUTPUT }}";
  if (/^\{\{-?\s*\.[A-Z_]+\s*-?\}\}/.test(text)) return "Taskfile's {{.NAME}} is {{ vars.name }} or {{ inputs.name }} here; for literal braces write \\{{";
  const [, name] = /^\{\{-?\s*\.([a-z_]+)\s*-?\}\}$/.exec(text) ?? [];
  if (name !== undefined) return `write {{ vars.${name} }} or {{ inputs.${name} }}; for literal braces write \\{{`;
  if (/^\{\{[^}]*\?.*:/.test(text)) return 'write {{#if CONDITION}}…{{else}}…{{/if}}';
  if (/^\{\{\s*[a-z_]+\(/.test(text)) return 'a helper takes its values without parentheses: {{ upper run.id }}';
  const [, list] = /^\{\{\s*([\w.]+)\[\d+\]/.exec(text) ?? [];
  if (list !== undefined) return `an item is named by its number in a path: {{ ${list}.[0] }}`;
  if (/^\{\{[^}]* \+ /.test(text)) return 'put each value in braces of its own: {{ vars.a }}.txt';
  if (/^\{\{[^}]*\|/.test(text)) return 'helpers come first, and there are no filters: {{ lower inputs.x }}, {{ default inputs.x "y" }}';
  if (/^\{\{[^}]*(==|!=|&&|\|\|)/.test(text)) return 'write {{ eq a b }}, {{ ne a b }}, {{ and a b }}, {{ or a b }}';
  return undefined;
}
