import { exampleOf, type ManualRow, rowsOf, undoOf } from '../src/cli/reference.js';
import type { KindDeclaration } from '../src/dsl/recipe/kind.js';
import { kinds } from '../src/tasks/index.js';
import { schema } from '../src/tasks/validators.js';

type Schema = Readonly<Record<string, unknown>>;

/** docs/reference.md: every key of a recipe, and every kind, from what the program itself reads. */
export function reference(): string {
  const definitions = schema['$defs'] as Record<string, Schema>;
  const properties = schema['properties'] as Record<string, Schema>;
  const inputs = (properties['inputs'] as Schema)['additionalProperties'] as Schema;
  return `# Reference

This page lists every key and every kind of this version. \`npm run generate\` creates it from the program.
[The recipe language](language.md) explains how they work together, and [error messages](messages.md) explains the errors.

## Keys of a recipe

${keys(schema)}

## Keys of an input

${keys(inputs)}

## Keys of a task

${keys(definitions['task'] ?? {})}

## Kinds

${kinds.map((kind) => `- [\`${kind.name}\`](#${kind.name.replaceAll('.', '').toLowerCase()}): ${kind.summary}`).join('\n')}

${kinds.map(kindText).join('\n')}`;
}

/** The keys of an object's schema, and of those below that have keys of their own. */
function keys(of: Schema, depth = 0): string {
  const required = (of['required'] as readonly string[] | undefined) ?? [];
  return Object.entries((of['properties'] as Record<string, Schema> | undefined) ?? {})
    .map(([name, property]) => {
      const [text = '', example = ''] = String(property['markdownDescription'] ?? property['description'] ?? '').split('\n\n```yaml\n');
      const indent = '  '.repeat(depth);
      const shown = example.replace(/\n?```$/, '');
      const line = `${indent}- \`${name}\`${required.includes(name) ? ' (required)' : ''}: ${text}${shown === '' || shown.includes('\n') ? '' : ` E.g. \`${shown}\``}`;
      const inner = [property, property['items'], property['additionalProperties']].find(
        (each) => typeof each === 'object' && each !== null && 'properties' in each,
      );
      const below = depth < 2 && inner !== undefined && name !== 'inputs' && name !== 'tasks' ? `\n${keys(inner as Schema, depth + 1)}` : '';
      return line + below;
    })
    .join('\n');
}

function kindText(kind: (typeof kinds)[number]): string {
  const list = (rows: readonly ManualRow[]) => (rows.length === 0 ? 'none' : rows.map((row) => rowText(row, '')).join('\n'));
  const inside = (kind as KindDeclaration).in === 'required' ? '\n\nIts `in` names the chroot it works in.' : '';
  return `### ${kind.name}

${kind.summary}. A ${kind.lifetime}. ${kind.docs}${inside}

\`with\`:

${list(rowsOf(kind.params))}

Outputs:

${list(rowsOf({ ...kind.outputs, required: [] }))}

${undoOf(kind)}

\`\`\`
${exampleOf(kind)}
\`\`\`
`;
}

function rowText({ name, type, facts, description, rows }: ManualRow, indent: string): string {
  const about = [type, ...facts].join('; ');
  return [`${indent}- \`${name}\` (${about}): ${description}`, ...rows.map((row) => rowText(row, `${indent}  `))].join('\n');
}
