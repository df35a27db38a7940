import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Schema } from '../schema/parts.js';
import { recipeSchema } from '../schema/recipe.js';
import { type ParsedDocument, pointerStep } from '../syntax/document.js';
import { positionOf } from '../syntax/source.js';

/** What the sections of a recipe consist of, and the keys that one of them always has. */
const sections = {
  tasks: { what: 'task', always: ['run', 'uses', 'needs'] },
  inputs: { what: 'input', always: ['type'] },
  includes: { what: 'include', always: ['recipe'] },
} as const;

/** Keys of a task, an input or an include that have the indentation of its name, as in `a:` with `run: make` directly below. */
export function misindentedKeys(document: ParsedDocument): Diagnostic[] {
  const { properties, $defs } = recipeSchema([]) as { properties: Record<string, Schema>; $defs: Record<string, Schema> };
  return Object.entries(sections).flatMap(([section, { what, always }]) => {
    const keys = keysOf(section === 'tasks' ? $defs['task'] : (properties[section]?.['additionalProperties'] as Schema));
    let owner: readonly [string, unknown] | undefined;
    return Object.entries(mapIn(mapIn(document.value)?.[section]) ?? {}).flatMap(([name, value]) => {
      const isOwn = always.some((key) => Object.hasOwn(mapIn(value) ?? {}, key));
      const isInside = keys.has(name) && !isOwn && value !== null && owner !== undefined;
      if (isInside && owner !== undefined && (owner[1] === null || mapIn(owner[1]) !== undefined))
        return [misindented(document, section, name, owner[0], what)];
      owner = [name, value];
      return [];
    });
  });
}

function misindented(document: ParsedDocument, section: string, key: string, owner: string, what: string): Diagnostic {
  const place = (name: string) => document.keySpanOf(`/${section}${pointerStep(name)}`);
  const [span, beside] = [place(key), positionOf(document.source, place(owner).start)];
  const isBlock = positionOf(document.source, span.start).line > beside.line;
  const help = isBlock ? `indent "${key}" by ${beside.column + 1} spaces, under "${owner}"` : `move "${key}" into the braces of "${owner}"`;
  return { code: 'unknown-key', message: `"${key}" stands beside the ${what} "${owner}", not under it`, span, help };
}

function keysOf(schema: Schema | undefined): Set<string> {
  return new Set(Object.keys((schema?.['properties'] as Schema | undefined) ?? {}));
}

/** A value as a map; undefined if it is none. */
function mapIn(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}
