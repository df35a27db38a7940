import { helpers } from '../syntax/template_helpers.js';
import { nearest } from './nearest.js';

/** Advice for a name in a template: the variable or input of that name; what other tools' templates mean; or the known names. */
export function hintForName(
  path: readonly string[],
  known: { readonly inputs: readonly string[]; readonly vars: readonly string[]; readonly others: readonly string[] },
): string | undefined {
  const [first = '', second = ''] = path;
  const owner = (name: string) => (known.vars.includes(name) ? 'vars' : known.inputs.includes(name) ? 'inputs' : undefined);
  const qualified = (name: string) => (owner(name) === undefined ? undefined : `write {{ ${owner(name)}.${name} }}`);
  const [, preset, value] = /^(\w+):-(.*)$/.exec(second) ?? [];
  if (preset !== undefined) return `write {{ default ${first}.${preset} "${value}" }}`;
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
    return `pass the value as an input: {{ inputs.${second?.toLowerCase().replaceAll('-', '_') ?? 'NAME'} }}`;
  if (['end', 'endif', 'fi'].includes(first)) return 'write {{/if}}';
  if (['elif', 'elsif', 'elseif'].includes(first)) return 'write {{else if CONDITION}}';
  if (first.startsWith('$')) return `write {{ env.${first.slice(1)} }}`;
  if (/^[A-Z_]+$/.test(first)) return `a variable of the environment is {{ env.${first} }}`;
  if (first.startsWith('ansible_')) return 'pass the value as an input, or compute it with {sh: …} in "vars"';
  return undefined;
}

/** Advice for an expression of other tools' templates. */
export function hintForSyntax(text: string): string | undefined {
  const inner = text.replace(/^\{\{-?\s*|\s*-?\}\}$/g, '');
  return hintForOperator(inner) ?? hintForGo(inner);
}

/** Advice for an expression of Packer, Taskfile, Helm and others. */
function hintForGo(inner: string): string | undefined {
  const [, source, named] = /^(user|env|build)\s+[`"']?([\w-]+)/.exec(inner) ?? [];
  if (source === 'user') return `write {{ inputs.${named} }}`;
  if (source === 'env') return `write {{ env.${named} }}`;
  if (source === 'build') return `Packer's {{ build \`${named}\` }} is an output here: {{ TASK.OUTPUT }}`;
  if (/^\.[A-Z_]+$/.test(inner)) return "Taskfile's {{.NAME}} is {{ vars.name }} or {{ inputs.name }} here; for literal braces write \\{{";
  const [, name] = /^\.([a-z_]+)$/.exec(inner) ?? [];
  if (name !== undefined) return `write {{ vars.${name} }} or {{ inputs.${name} }}; for literal braces write \\{{`;
  const [, block, condition] = /^(if|range|for)\s+(.*)$/.exec(inner) ?? [];
  if (block === 'if') return `write {{#if ${condition?.includes(' ') ? `(${condition})` : condition}}}…{{/if}}`;
  if (block !== undefined) return '{{ quote LIST }} prints the items as shell words, {{ join LIST "," }} as text; or loop in the script';
  return undefined;
}

/** Advice for an expression with operators, of which templates have none. */
function hintForOperator(inner: string): string | undefined {
  const value = '("[^"]*"|\'[^\']*\'|[\\w.-]+)';
  const [, left, operator, right] = new RegExp(`^${value}\\s*(==|!=|&&|\\|\\|)\\s*${value}$`).exec(inner) ?? [];
  if (operator !== undefined) return `write {{ ${helperFor[operator]} ${left} ${right} }}`;
  const [, negated] = new RegExp(`^(?:!|not )\\s*${value}$`).exec(inner) ?? [];
  if (negated !== undefined) return `write {{ not ${negated} }}`;
  const [, list, number] = /^([\w.]+?)(?:\[(?=\d+\])|\.(?=\d+$))(\d+)/.exec(inner) ?? [];
  if (list !== undefined) return `an item is named by its number in a path: {{ ${list}.[${number}] }}`;
  if (/\?.*:/.test(inner)) return 'write {{#if CONDITION}}…{{else}}…{{/if}}';
  if (/^[a-z_]+\(/.test(inner)) return 'a helper takes its values without parentheses: {{ upper run.id }}';
  if (/ \+ /.test(inner)) return 'put each value in braces of its own: {{ vars.a }}.txt';
  if (/==|!=|&&|\|\|/.test(inner)) return 'write {{ eq a b }}, {{ ne a b }}, {{ and a b }}, {{ or a b }}';
  if (inner.includes('|')) return hintForFilter(inner);
  return / [<>]=? /.test(inner) ? 'templates compare with {{ eq a b }} and {{ ne a b }} only; compare numbers in the script' : undefined;
}

const helperFor: Readonly<Record<string, string>> = { '==': 'eq', '!=': 'ne', '&&': 'and', '||': 'or' };

/** Advice for a filter of Jinja: `inputs.name | default('web')` is `default inputs.name 'web'`. */
function hintForFilter(inner: string): string {
  const [, value, name = '', inBraces, behind] = /^([\w.]+)\s*\|\s*(\w+)(?:\(([^()|]*)\)|\s+([^|]*))?$/.exec(inner) ?? [];
  const helper = name.replace(/^to_?/, '');
  if (value === undefined || !Object.hasOwn(helpers, helper))
    return 'helpers come first, and there are no filters: {{ lower inputs.x }}, {{ default inputs.x "y" }}';
  const more = (inBraces ?? behind ?? '').replace(/\s*,\s*/g, ' ').trim();
  return `helpers come first, and there are no filters: {{ ${helper} ${value}${more === '' ? '' : ` ${more}`} }}`;
}
