import { Option } from 'commander';
import { makePlan, type Plan, type PlanNode } from '../../dsl/plan/plan.js';
import { fileAndTasks, type GivenInputs, loadRecipe } from '../recipe_file.js';
import { reducedLinks } from '../reduced_links.js';
import { print } from '../terminal/output.js';
import { inputOption, inputsOption, type Verb } from '../verbs.js';

/** Declares `chrootfile graph`. */
export const verb: Verb = (program) => {
  program
    .command('graph')
    .description('print the plan as a graph: what waits for what')
    .argument('[words...]', 'recipe file (default: chrootfile.yml), then tasks')
    .addOption(new Option('--format <format>', 'output format').choices(['text', 'mermaid', 'dot']).default('text'))
    .addOption(inputOption())
    .addOption(inputsOption())
    .addHelpText('after', '\nExamples:\n  chrootfile graph recipes/base.yml\n  chrootfile graph recipes/base.yml image --format dot | dot -Tsvg > base.svg')
    .action((words: string[], options) => {
      const { file, tasks } = fileAndTasks(words);
      graph(file, tasks, options);
    });
};

/** `chrootfile graph`: the plan as a graph; links that follow from others are left out. */
function graph(file: string, goals: readonly string[], options: GivenInputs & { readonly format: 'text' | 'mermaid' | 'dot' }): void {
  const { module, tasks } = loadRecipe(file, options);
  const plan = makePlan(module, tasks, goals);
  const links = new Map([...reducedLinks(plan)].map(([id, edges]) => [id, edges.map(({ from }) => from)]));
  switch (options.format) {
    case 'text':
      return print(...asText(plan, links));
    case 'mermaid':
      return print(...asMermaid(plan, links));
    case 'dot':
      return print(...asDot(plan, links));
  }
}

function asText({ nodes }: Plan, links: ReadonlyMap<string, readonly string[]>): string[] {
  const width = Math.max(...nodes.map(({ id }) => id.length));
  return nodes.map(({ id }) => {
    const after = links.get(id) ?? [];
    return after.length === 0 ? id : `${id.padEnd(width)}  <- ${after.join(', ')}`;
  });
}

function asMermaid(plan: Plan, links: ReadonlyMap<string, readonly string[]>): string[] {
  const names = new Map(plan.nodes.map(({ id }, i) => [id, `n${i}`]));
  const shape = (node: PlanNode) => {
    const text = `"${label(node).replaceAll('"', '#quot;').replaceAll('\n', '<br/>')}"`;
    return node.type === 'release' ? `([${text}])` : node.task.lifetime === 'resource' ? `[[${text}]]` : `[${text}]`;
  };
  return [
    'flowchart TD',
    ...byLibrary(plan).flatMap(([library, nodes]) => {
      const lines = nodes.map((node) => `  ${names.get(node.id)}${shape(node)}`);
      return library === '' ? lines : [`  subgraph library_${library.replace(/[.-]/g, '_')}["${library}"]`, ...lines.map((line) => `  ${line}`), '  end'];
    }),
    ...[...links].flatMap(([id, after]) => after.map((from) => `  ${names.get(from)} --> ${names.get(id)}`)),
  ];
}

function asDot(plan: Plan, links: ReadonlyMap<string, readonly string[]>): string[] {
  const quoted = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const style = (node: PlanNode) => (node.type === 'release' ? ', style=dashed' : node.task.lifetime === 'resource' ? ', peripheries=2' : '');
  return [
    'digraph recipe {',
    '  node [shape=box];',
    ...byLibrary(plan).flatMap(([library, nodes]) => {
      const lines = nodes.map((node) => `  ${quoted(node.id)} [label=${quoted(label(node)).replaceAll('\n', '\\n')}${style(node)}];`);
      return library === ''
        ? lines
        : [`  subgraph ${quoted(`cluster_${library}`)} {`, `    label=${quoted(library)};`, ...lines.map((line) => `  ${line}`), '  }'];
    }),
    ...[...links].flatMap(([id, after]) => after.map((from) => `  ${quoted(from)} -> ${quoted(id)};`)),
    '}',
  ];
}

/** The nodes of the recipe itself, and of each library. */
function byLibrary({ nodes }: Plan): (readonly [string, PlanNode[]])[] {
  const groups = new Map<string, PlanNode[]>();
  for (const node of nodes) {
    const { namespace } = node.task.module;
    groups.set(namespace, [...(groups.get(namespace) ?? []), node]);
  }
  return [...groups];
}

function label({ id, type, task }: PlanNode): string {
  const { action } = task.task;
  return type === 'task' && action.type === 'kind' ? `${id}\n${action.kind.name}` : id;
}
